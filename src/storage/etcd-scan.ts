import type { EtcdClient, RangeOutcome } from "./etcd-client.ts";
import type { EtcdEntry, RangeRequest } from "./etcd-messages.ts";

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
/**
 * Pages of about this size. Smaller ones save memory and cost time: with each, etcd
 * counts all the keys that are left of the range.
 */
const PAGE_BYTES = 2 * 1024 * 1024;

/**
 * Visits every key that begins with `prefix`, page by page and all as of one revision,
 * so that writes in between neither hide nor repeat a key. Holds one page in memory.
 * Rejects as EtcdClient.range does.
 */
export async function scan(etcd: EtcdReader, prefix: string, options: ScanOptions): Promise<ScanOutcome> {
  const rangeEnd = afterPrefix(prefix);
  let from: Buffer = Buffer.from(prefix);
  let { revision } = options;
  let limit = FIRST_LIMIT;
  for (;;) {
    const request: RangeRequest = { key: from, rangeEnd, limit, revision };
    const page = await etcd.range(request, options.signal);
    if (page.kind === "compacted") return page;
    if (page.kind === "too-large") {
      limit = Math.max(1, Math.floor(limit / 4));
      continue;
    }
    if (revision === 0) revision = page.revision;
    for (const entry of page.entries) options.visit(entry);
    options.onPage?.(page.entries.length);
    const last = page.entries.at(-1);
    if (!page.more || last === undefined) return { kind: "done", revision };
    from = Buffer.concat([last.key, Buffer.of(0)]);
    limit = nextLimit(limit, page);
  }
}

/** Grows slowly, as the next objects may be larger; shrinks at once. */
function nextLimit(limit: number, { bytes, entries }: Extract<RangeOutcome, { kind: "page" }>): number {
  const fitting = Math.floor((PAGE_BYTES * entries.length) / Math.max(1, bytes));
  return Math.max(1, Math.min(fitting, limit * 2, MAX_LIMIT));
}

/** The first key after all that begin with a prefix. */
function afterPrefix(prefix: string): Buffer {
  const end = Buffer.from(prefix);
  // UTF-8 has no byte 0xff, so this cannot carry over.
  end.writeUInt8(end.readUInt8(end.length - 1) + 1, end.length - 1);
  return end;
}
