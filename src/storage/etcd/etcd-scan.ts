import { ClavigerError } from "../../errors.ts";
import type { EtcdClient, RangeOutcome } from "./etcd-client.ts";
import type { EtcdEntry } from "./etcd-messages.ts";

/** Anything that reads etcd as EtcdClient does. */
export type EtcdReader = Pick<EtcdClient, "range">;

export interface ScanOptions {
  /**
   * The revision to read; 0 means the newest, and the revision of the first page is then used for all pages.
   */
  readonly revision: number;
  readonly signal: AbortSignal;
  /** Called for each key in order. It must copy whatever it keeps of an entry. */
  readonly visit: (entry: EtcdEntry) => void;
  /** Called after each page with the number of keys in it. */
  readonly onPage?: (keys: number) => void;
}

export type ScanOutcome =
  | { readonly kind: "done"; readonly revision: number }
  /** etcd has compacted the revision. Some keys were visited, and others were left. */
  | { readonly kind: "compacted" };

const FIRST_LIMIT = 200;
const MAX_LIMIT = 5_000;
/** The target size of a page. */
const PAGE_BYTES = 2 * 1024 * 1024;
/**
 * For each page, etcd counts all keys of the requested range. A range of more than this many pages is
 * narrowed, otherwise millions of keys would take hours.
 */
const WIDE_PAGES = 8;

/**
 * Visits every key that begins with `prefix`, page by page and all as of one revision, so that concurrent
 * writes neither hide nor repeat a key. Holds one page in memory. Rejects as EtcdClient.range does, and with
 * Etcd if keys are missing.
 */
export async function scan(etcd: EtcdReader, prefix: string, options: ScanOptions): Promise<ScanOutcome> {
  const shallow = Buffer.byteLength(prefix);
  const end = afterPrefix(Buffer.from(prefix));
  let from: Buffer = Buffer.from(prefix);
  let { revision } = options;
  let limit = FIRST_LIMIT;
  /**
   * The range of a page ends at the next key that differs in its first `depth` bytes; at `shallow` it ends
   * with the prefix.
   */
  let depth = shallow;
  /** The count of the first page, whose range is the whole prefix. */
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

/**
 * Keys that were not read would count as if they did not exist. kine, for example, only supports ranges of
 * whole folders.
 */
const fewer = (prefix: string, visited: number, promised: number): ClavigerError =>
  new ClavigerError(
    "Etcd",
    `etcd has ${promised} keys under ${prefix} and gave ${visited} of them: claviger counts in etcd itself, not in what answers in its place, such as kine`,
  );

type Page = Extract<RangeOutcome, { kind: "page" }>;

/** Widens the next range if the last had few keys. Its depth is at most the length of its start key. */
function wider(depth: number, shallow: number, limit: number, { entries }: Page): number {
  return entries.length * 4 < limit ? Math.max(shallow, depth - 1) : depth;
}

/**
 * Narrows a range that has much more than a page, down to the bytes that the keys of a page have in common.
 */
function narrower(depth: number, { entries, count }: Page): number {
  if (count <= entries.length * WIDE_PAGES) return depth;
  const [first, last] = [entries[0]?.key, entries.at(-1)?.key];
  if (first === undefined || last === undefined) return depth;
  let common = 0;
  while (common < last.length && first[common] === last[common]) common += 1;
  return Math.min(Math.max(depth, common) + 1, last.length);
}

/** Grows the limit slowly, because the next objects may be larger, and shrinks it at once. */
function nextLimit(limit: number, { bytes, entries }: Page): number {
  if (entries.length === 0) return limit;
  const fitting = Math.floor((PAGE_BYTES * entries.length) / Math.max(1, bytes));
  return Math.max(1, Math.min(fitting, limit * 2, MAX_LIMIT));
}

/** Returns the first key after all keys that begin with these bytes. */
function afterPrefix(prefix: Buffer): Buffer {
  let length = prefix.length;
  while (prefix[length - 1] === 0xff) length -= 1;
  const end = Buffer.from(prefix.subarray(0, length));
  end.writeUInt8(end.readUInt8(length - 1) + 1, length - 1);
  return end;
}
