import { describe, expect, test } from "vitest";
import { KubeError } from "../../kube/kube-error.ts";
import type { ApiResource } from "../served/discovery.ts";
import type { RangeOutcome } from "./etcd-client.ts";
import { mustBeEtcdOf, mustBeStoredHere, mustHoldCluster } from "./etcd-identity.ts";
import type { RangeRequest } from "./etcd-messages.ts";

const { signal } = new AbortController();
const LEASE = "leases/claviger-system/claviger-node-a";

/** An etcd with these keys, each at the revision of its last write. */
function etcdWith(keys: Readonly<Record<string, number>>, prefix = "/registry") {
  const range = async ({ key }: RangeRequest): Promise<RangeOutcome> => {
    const modRevision = keys[key.toString()];
    const entries = modRevision === undefined ? [] : [{ key, value: Buffer.alloc(0), modRevision }];
    return {
      kind: "page",
      bytes: 0,
      clusterId: 1,
      revision: 99,
      entries,
      more: false,
      count: entries.length,
    };
  };
  return { etcd: { range }, prefix, signal };
}

/** A Lease that has these resourceVersions in the API server, one after the other. */
function leaseAt(...resourceVersions: (string | undefined)[]) {
  let reads = 0;
  return { path: LEASE, read: async () => resourceVersions[reads++] };
}

describe("whether an etcd is the API server's, by this node's Lease", () => {
  test.each([
    ["the same revision as at the API server", 7, ["7", "7"]],
    ["a write between the first read and etcd's", 9, ["7", "9"]],
    ["a write between etcd's read and the last", 7, ["7", "9"]],
    ["numbers that text would order otherwise", 9, ["9", "10"]],
  ])("%s => it is", async (_, revision, seen) => {
    const etcd = etcdWith({ [`/registry/${LEASE}`]: revision });
    await expect(mustBeEtcdOf(leaseAt(...seen), etcd)).resolves.toBeUndefined();
  });
  test.each([
    [
      "another prefix",
      { [`/other/${LEASE}`]: 7 },
      /resourceVersion 7, and etcd under \/registry lacks it; check etcd\.endpoints and etcd\.prefix/,
    ],
    ["an older copy of it", { [`/registry/${LEASE}`]: 6 }, /at resourceVersion 7, .* has it at revision 6/],
    ["another cluster's, with a Lease of that name", { [`/registry/${LEASE}`]: 8 }, /has it at revision 8/],
    ["an empty one", {}, /lacks it/],
  ])("%s => it is not, in words that say what to look at", async (_, keys, message) => {
    await expect(mustBeEtcdOf(leaseAt("7", "7"), etcdWith(keys))).rejects.toMatchObject({
      code: "Etcd",
      message: expect.stringMatching(message),
    });
  });
  test("a Lease that the API server does not have yet => cannot be checked", async () => {
    await expect(mustBeEtcdOf(leaseAt(undefined), etcdWith({}))).rejects.toThrow(
      /cannot check that etcd\.endpoints is the API server's etcd: .*does not exist yet/,
    );
  });
});

describe("whether an etcd holds a cluster at all", () => {
  test("every API server makes the namespace default", async () => {
    await expect(mustHoldCluster(etcdWith({ "/registry/namespaces/default": 3 }))).resolves.toBeUndefined();
    await expect(mustHoldCluster(etcdWith({ "/k8s/namespaces/default": 3 }))).rejects.toThrow(
      /etcd has no cluster under \/registry: check etcd\.endpoints and etcd\.prefix/,
    );
  });
});

describe("resources that a census is of", () => {
  const secrets: ApiResource = { group: "", resource: "secrets", version: "v1", namespaced: true };
  const nodes: ApiResource = { group: "", resource: "nodes", version: "v1", namespaced: false };
  const listing =
    (objects: Readonly<Record<string, readonly object[] | number>>) =>
    async ({ path }: { path: string }) => {
      const found = objects[path] ?? [];
      if (typeof found === "number") throw new KubeError(found, `GET ${path}: no`);
      return { metadata: {}, items: found.map((metadata) => ({ metadata })) };
    };
  const one = { "/api/v1/secrets": [{ namespace: "a", name: "b", uid: "u", resourceVersion: "1" }] };

  test("none at the API server either => nothing is wrong", async () => {
    await expect(mustBeStoredHere([secrets, nodes], listing({}), etcdWith({}))).resolves.toBeUndefined();
  });
  test("one at the API server that etcd lacks => it is kept elsewhere", async () => {
    await expect(mustBeStoredHere([nodes, secrets], listing(one), etcdWith({}))).rejects.toMatchObject({
      code: "Etcd",
      message: expect.stringMatching(
        /the API server has secrets that are not in this etcd, as with --etcd-servers-overrides/,
      ),
    });
  });
  test("one that is deleted before it is looked for => the next one counts", async () => {
    let lists = 0;
    const churning = async () => ({
      metadata: {},
      items: [{ metadata: { namespace: "a", name: `b${lists++}`, uid: "u", resourceVersion: "1" } }],
    });
    const etcd = etcdWith({ "/registry/secrets/a/b1": 100 });
    await expect(mustBeStoredHere([secrets], churning, etcd)).resolves.toBeUndefined();
  });
  test("one that is in etcd => is told by its key", async () => {
    const etcd = etcdWith({ "/registry/secrets/a/b": 100 });
    await expect(mustBeStoredHere([secrets], listing(one), etcd)).resolves.toBeUndefined();
  });
  test("a special path and no namespace => is found under it", async () => {
    const listed = listing({ "/api/v1/nodes": [{ name: "n", uid: "u", resourceVersion: "1" }] });
    await expect(
      mustBeStoredHere([nodes], listed, etcdWith({ "/registry/minions/n": 5 })),
    ).resolves.toBeUndefined();
  });
  test("no right to list them => passed over; no answer => an error", async () => {
    await expect(
      mustBeStoredHere([secrets], listing({ "/api/v1/secrets": 403 }), etcdWith({})),
    ).resolves.toBeUndefined();
    await expect(
      mustBeStoredHere([secrets], listing({ "/api/v1/secrets": 500 }), etcdWith({})),
    ).rejects.toThrow(/cannot check that \/api\/v1\/secrets are stored in this etcd/);
  });
});
