import { describe, expect, test } from "vitest";
import type { Lease } from "../../kube/leases.ts";
import { nodeLeaseFrom } from "./node-leases.ts";

const lease = (name: string, labels: object, annotations = {}): Lease => ({
  metadata: { name, uid: "1", resourceVersion: "1", labels: { ...labels }, annotations },
});

describe("a Lease as the record of a node", () => {
  test.each([
    [
      "name and label name one node => its record",
      lease("claviger-node-a", { "kms.claviger.dev/node": "a" }),
      "a",
    ],
    [
      "the label names another node => nobody's",
      lease("claviger-node-a", { "kms.claviger.dev/node": "b" }),
      undefined,
    ],
    ["any Lease with a node's label => nobody's", lease("mine", { "kms.claviger.dev/node": "a" }), undefined],
    ["without the label => nobody's", lease("claviger-node-a", {}), undefined],
  ])("%s", (_, object, node) => {
    expect(nodeLeaseFrom(object)?.node).toBe(node);
  });
  test.each([
    ["a uid => the node had a Node object", { "kms.claviger.dev/node-uid": "uid-1" }, "uid-1"],
    ["an empty one => it had none", { "kms.claviger.dev/node-uid": "" }, ""],
    ["none => not known", {}, undefined],
  ])("%s", (_, annotations, uid) => {
    const object = lease("claviger-node-a", { "kms.claviger.dev/node": "a" }, annotations);
    expect(nodeLeaseFrom(object)?.nodeUid).toBe(uid);
  });
});
