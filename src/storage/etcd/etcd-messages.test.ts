import { join } from "node:path";
import { loadSync, type MessageTypeDefinition } from "@grpc/proto-loader";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { MalformedMessage } from "../../protobuf.ts";
import { decodeRangeResponse, encodeRangeRequest } from "./etcd-messages.ts";

/** Compares our codec with protobufjs and proto/etcd-kv.proto, which no other code of ours reads. */
const PROTO = join(import.meta.dirname, "..", "..", "..", "proto", "etcd-kv.proto");
const definitions = loadSync(PROTO, { defaults: true, keepCase: true, longs: Number });

function reference<T extends object>(name: string): MessageTypeDefinition<T, T> {
  const definition = definitions[`etcdserverpb.${name}`];
  if (definition?.format !== "Protocol Buffer 3 DescriptorProto") throw new Error(`no message ${name}`);
  return definition as unknown as MessageTypeDefinition<T, T>;
}

const bytes = fc.uint8Array({ maxLength: 300, size: "max" }).map((value) => Buffer.from(value));
const number = fc.maxSafeNat();

describe("a RangeRequest", () => {
  it("encoded by us is decoded by protobufjs", () => {
    const request = fc.record({ key: bytes, rangeEnd: bytes, limit: number, revision: number });
    fc.assert(
      fc.property(request, ({ rangeEnd, ...rest }) => {
        const encoded = encodeRangeRequest({ rangeEnd, ...rest });
        expect(reference("RangeRequest").deserialize(encoded)).toEqual({ ...rest, range_end: rangeEnd });
      }),
    );
  });
});

describe("a RangeResponse", () => {
  const response = fc.record({
    header: fc.record({ cluster_id: number, revision: number }),
    kvs: fc.array(fc.record({ key: bytes, mod_revision: number, value: bytes }), { maxLength: 5 }),
    more: fc.boolean(),
    count: number,
  });
  const encode = (plain: object): Buffer => Buffer.from(reference("RangeResponse").serialize(plain));

  it("encoded by protobufjs is decoded by us", () => {
    fc.assert(
      fc.property(response, (plain) => {
        expect(decodeRangeResponse(encode(plain))).toEqual({
          clusterId: plain.header.cluster_id,
          revision: plain.header.revision,
          entries: plain.kvs.map(({ key, mod_revision, value }) => ({
            key,
            modRevision: mod_revision,
            value,
          })),
          more: plain.more,
          count: plain.count,
        });
      }),
    );
  });

  it("without any bytes has all its defaults", () => {
    expect(decodeRangeResponse(Buffer.alloc(0))).toEqual({
      clusterId: 0,
      revision: 0,
      entries: [],
      more: false,
      count: 0,
    });
  });

  it("of arbitrary or cut bytes is decoded or malformed, and nothing else", () => {
    const cut = fc
      .tuple(response, fc.double({ min: 0, max: 1, noNaN: true }))
      .map(([plain, part]) => encode(plain).subarray(0, Math.floor(encode(plain).length * part)));
    fc.assert(
      fc.property(fc.oneof(bytes, cut), (hostile) => {
        try {
          decodeRangeResponse(hostile);
        } catch (error) {
          expect(error).toBeInstanceOf(MalformedMessage);
        }
      }),
      { numRuns: 2_000 },
    );
  });
});
