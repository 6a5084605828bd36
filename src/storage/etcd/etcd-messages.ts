import { asBytes, bytesField, MalformedMessage, readFields, varintField } from "../../protobuf.ts";

/** The messages of proto/etcd-kv.proto. Field numbers are etcd's. */
export interface RangeRequest {
  readonly key: Buffer;
  readonly rangeEnd: Buffer;
  readonly limit: number;
  /** 0 for the newest revision. */
  readonly revision: number;
}

export interface RangeResponse {
  /**
   * The id of the etcd cluster that answered. It is a random 64-bit number, whose last bits are lost here.
   */
  readonly clusterId: number;
  /** The newest revision at the time of the answer. */
  readonly revision: number;
  /** Views of the message: copy whatever is kept of them. */
  readonly entries: readonly EtcdEntry[];
  /** True if the limit left keys out. */
  readonly more: boolean;
  /** The number of keys in the whole range. */
  readonly count: number;
}

export interface EtcdEntry {
  readonly key: Buffer;
  readonly value: Buffer;
  /** The revision of the last write. */
  readonly modRevision: number;
}

const EMPTY: Buffer = Buffer.alloc(0);

export function encodeRangeRequest({ key, rangeEnd, limit, revision }: RangeRequest): Buffer {
  return Buffer.concat([
    ...bytesField(1, key),
    ...bytesField(2, rangeEnd),
    ...varintField(3, limit),
    ...varintField(4, revision),
  ]);
}

/** Throws MalformedMessage. */
export function decodeRangeResponse(bytes: Buffer): RangeResponse {
  const entries: EtcdEntry[] = [];
  const message = { clusterId: 0, revision: 0, entries, more: false, count: 0 };
  readFields(bytes, (field, value) => {
    if (field === 1) readHeader(asBytes(value), message);
    else if (field === 2) entries.push(entryOf(asBytes(value)));
    else if (field === 3) message.more = asNumber(value) !== 0;
    else if (field === 4) message.count = asNumber(value);
  });
  return message;
}

function readHeader(header: Buffer, message: { clusterId: number; revision: number }): void {
  readFields(header, (field, value) => {
    if (field === 1) message.clusterId = asNumber(value);
    else if (field === 3) message.revision = asNumber(value);
  });
}

function entryOf(bytes: Buffer): EtcdEntry {
  const entry = { key: EMPTY, value: EMPTY, modRevision: 0 };
  readFields(bytes, (field, value) => {
    if (field === 1) entry.key = asBytes(value);
    else if (field === 3) entry.modRevision = asNumber(value);
    else if (field === 5) entry.value = asBytes(value);
  });
  return entry;
}

function asNumber(value: Buffer | number): number {
  if (typeof value !== "number") throw new MalformedMessage("a field has the wrong type");
  return value;
}
