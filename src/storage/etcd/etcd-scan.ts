import { ClavigerError } from "../../errors.ts";
import type { EtcdClient, RangeOutcome } from "./etcd-client.ts";
import type { EtcdEntry } from "./etcd-messages.ts";

/** Anything that reads etcd as EtcdClient does. */
export type EtcdReader = Pick<EtcdClient, "range">;

export interface ScanOptions {
  /** As of when; 0 for now, which pins the revision of the first page for the others. */
  readonly revision: number;
  readonly signal: AbortSignal;
  /** Called for each key in order. What it keeps of an entry it must copy. */
  readonly visit: (entry: EtcdEntry) => void;
  /** Called after each page with the keys in it. */
  readonly onPage?: (keys: number) => void;
}

export type ScanOutcome =
  | { readonly kind: "done"; readonly revision: number }
  /** etcd has compacted the revision; keys were visited, and more were left. */
  | { readonly kind: "compacted" };

const FIRST_LIMIT = 200;
const MAX_LIMIT = 5_000;
/** Pages of about this size. */
const PAGE_BYTES = 2 * 1024 * 1024;
/**
 * With each page, etcd counts all the keys of the range that is asked for. A range of
 * more than this many pages is narrowed, or millions of keys would take hours.
 */
const WIDE_PAGES = 8;

/**
 * Visits every key that begins with `prefix`, page by page and all as of one revision,
 * so that writes in between neither hide nor repeat a key. Holds one page in memory.
 * Rejects as EtcdClient.range does, and with Etcd where keys are missing.
 */
export async function scan(etcd: EtcdReader, prefix: string, options: ScanOptions): Promise<ScanOutcome> {
  const shallow = Buffer.byteLength(prefix);
  const end = afterPrefix(Buffer.from(prefix));
  let from: Buffer = Buffer.from(prefix);
  let { revision } = options;
  let limit = FIRST_LIMIT;
  /** A page ends where the first bytes of the keys change, this many; at `shallow` it ends with the prefix. */
  let depth = shallow;
  /** Of the first page, whose range is all of it. */
  let promised: number | undefined;
  let visited = 0;
  for (;;) {
    const rangeEnd = afterPrefix(from.subarray(0, depth));
    const page = await etcd.range({ key: from, rangeEnd, limit, revision }, options.signal);
    if (page.kind === "compacted") return page;
    if (page.kind === "too-large") {
      limit = Math.max(1, Math.floor(limit / 4));
      continue;
    }
    if (revision === 0) revision = page.revision;
    promised ??= page.count;
    visited += page.entries.length;
    for (const entry of page.entries) options.visit(entry);
    options.onPage?.(page.entries.length);
    const last = page.entries.at(-1);
    const through = !page.more || last === undefined;
    if (through && rangeEnd.equals(end)) {
      if (visited < promised) throw fewer(prefix, visited, promised);
      return { kind: "done", revision };
    }
    from = through ? rangeEnd : Buffer.concat([last.key, Buffer.of(0)]);
    depth = through ? wider(depth, shallow, limit, page) : narrower(depth, page);
    limit = nextLimit(limit, page);
  }
}

/** What is not read would count as nothing that is left. kine, for one, knows ranges of whole folders only. */
const fewer = (prefix: string, visited: number, promised: number): ClavigerError =>
  new ClavigerError(
    "Etcd",
    `etcd has ${promised} keys under ${prefix} and gave ${visited} of them: claviger counts in etcd itself, not in what answers in its place, such as kine`,
  );

type Page = Extract<RangeOutcome, { kind: "page" }>;

/** Where a range had little, the next one takes in more; its length is that of its beginning at most. */
function wider(depth: number, shallow: number, limit: number, { entries }: Page): number {
  return entries.length * 4 < limit ? Math.max(shallow, depth - 1) : depth;
}

/** Where a range has much more than a page, down to what the keys of a page have in common. */
function narrower(depth: number, { entries, count }: Page): number {
  if (count <= entries.length * WIDE_PAGES) return depth;
  const [first, last] = [entries[0]?.key, entries.at(-1)?.key];
  if (first === undefined || last === undefined) return depth;
  let common = 0;
  while (common < last.length && first[common] === last[common]) common += 1;
  return Math.min(Math.max(depth, common) + 1, last.length);
}

/** Grows slowly, as the next objects may be larger; shrinks at once. */
function nextLimit(limit: number, { bytes, entries }: Page): number {
  if (entries.length === 0) return limit;
  const fitting = Math.floor((PAGE_BYTES * entries.length) / Math.max(1, bytes));
  return Math.max(1, Math.min(fitting, limit * 2, MAX_LIMIT));
}

/** The first key after all that begin with these bytes. */
function afterPrefix(prefix: Buffer): Buffer {
  let length = prefix.length;
  while (prefix[length - 1] === 0xff) length -= 1;
  const end = Buffer.from(prefix.subarray(0, length));
  end.writeUInt8(end.readUInt8(length - 1) + 1, length - 1);
  return end;
}
