import { describe, expect, test } from "vitest";
import type { KeyServerStatus } from "../../resources/schemas/key-server.ts";
import type { MasterKeyStatus } from "../../resources/schemas/master-key.ts";
import { EARLIER, keyServer, keyVersion, masterKey, node, statusWith } from "../../testing/objects.ts";
import { socketsNotSettled } from "../reencryption/ground.ts";
import { switchesOf } from "../reencryption/switches.ts";
import { proofOf, unsettledProviders } from "./usage-proof.ts";

const at2 = statusWith(keyVersion(2));
const current = at2.currentVersion?.kmsKeyId ?? "";
const serves = new Set(["apps/secrets", "alias apps/main"]);
const earlier = statusWith(keyVersion(1)).currentVersion?.kmsKeyId ?? "";
type Provider = NonNullable<KeyServerStatus["providers"]>[number];
const provider: Provider = {
  ...{ name: "p", socket: "/p", serves: "apps/secrets", kmsKeyId: current, settled: true },
  episode: "e",
};
const server = (changes: Partial<Provider>, status: Partial<KeyServerStatus> = {}) =>
  keyServer("one", { providers: [{ ...provider, ...changes }], ...status });
const complete: NonNullable<MasterKeyStatus["reencryption"]> = {
  kmsKeyId: current,
  phase: "Complete",
  verified: true,
  resources: ["secrets"],
  startedAt: EARLIER,
  completedAt: EARLIER,
  round: 1,
};
const proof = (changes: Partial<Provider>, reencryption?: typeof complete) =>
  proofOf(
    masterKey({ status: { ...at2, ...(reencryption && { reencryption }) } }),
    [keyVersion(1), keyVersion(2)],
    [server(changes)],
    [node("one", [])],
    serves,
  );

describe("which providers are not settled", () => {
  test.each<readonly [string, Partial<Provider>, number]>([
    ["one that is settled on the current key_id => none", {}, 0],
    ["one that does not say so => that one", { settled: false }, 1],
    ["one that is settled on another key_id => that one", { kmsKeyId: "other" }, 1],
    ["one that serves an alias of the key => that one", { serves: "alias apps/main", settled: false }, 1],
    [
      "one that is to serve another key and still answers with an earlier version of this one => that one",
      { serves: "apps/other", kmsKeyId: earlier },
      1,
    ],
    ["one of another key => none", { serves: "apps/other", settled: false }, 0],
  ])("%s", (_, changes, count) => {
    expect(proof(changes).unsettled).toEqual(Array(count).fill("provider p of node one"));
  });
});

const { episode: _, ...ofOlderRelease } = provider;

/** Each makes a report about a settled socket doubtful. */
const doubtful: readonly (readonly [string, Partial<Provider>, Partial<KeyServerStatus>])[] = [
  [
    "its API server goes by another file than the disk has",
    {},
    { apiServer: { encryptionConfig: "NotLoaded" } },
  ],
  ["an edit of its file is not taken up", { editNotTakenUp: EARLIER }, {}],
  ["it is of a release that reports no episode", {}, { providers: [ofOlderRelease] }],
  ["no plugin answers there", {}, { conditions: [because("PluginSilent")] }],
  ["another machine has the same nodeName", {}, { conditions: [because("NodeNameShared")] }],
];

function because(reason: string) {
  return { type: "Ready", status: "False", reason, message: "m", lastTransitionTime: EARLIER } as const;
}

describe("settled means the same to re-encryption, retention and deletion", () => {
  test.each(doubtful)(
    "a report that says settled, and %s => settled to none of them",
    (_, changes, status) => {
      const [nodes, servers] = [[node("one", [])], [server(changes, status)]];
      const key = masterKey({ status: at2 });
      const sockets = { switches: switchesOf(key, new Set(), servers), nodes };
      expect(socketsNotSettled(sockets, current)).toHaveLength(1);
      expect(proofOf(key, [keyVersion(1), keyVersion(2)], servers, nodes, serves).unsettled).toHaveLength(1);
      expect(unsettledProviders(servers, nodes)).toEqual(["provider p of node one"]);
    },
  );

  test("a node that is not heard of => settled to none of them", () => {
    const [nodes, servers] = [[node("one", [], { stale: true })], [server({})]];
    const key = masterKey({ status: at2 });
    const sockets = { switches: switchesOf(key, new Set(), servers), nodes };
    expect(socketsNotSettled(sockets, current)).toHaveLength(1);
    expect(proofOf(key, [keyVersion(1), keyVersion(2)], servers, nodes, serves).unsettled).toHaveLength(1);
    expect(unsettledProviders(servers, nodes)).toHaveLength(1);
  });

  test("a deletion waits for no API server that asks nobody any more, once the four minutes are over", () => {
    expect(unsettledProviders([server({ notAskedSince: EARLIER })], [node("one", [])])).toEqual([]);
  });

  test("a deletion waits for a socket of another key: it may have left this one", () => {
    expect(
      unsettledProviders([server({ serves: "apps/other", settled: false })], [node("one", [])]),
    ).toHaveLength(1);
  });
});

describe("the re-encryption", () => {
  test("never made => not proven", () => expect(proof({}).reencryption).toBeUndefined());
  test("complete => as it says", () => {
    const { kmsKeyId, verified, completedAt } = complete;
    expect(proof({}, complete).reencryption).toEqual({ kmsKeyId, verified, completedAt });
  });
  test("complete again after an API server's restart, and each census found it so => since the first of them", () => {
    const again = { ...complete, completedAt: "2026-01-02T00:00:00Z", provenSince: EARLIER };
    expect(proof({}, again).reencryption?.completedAt).toBe(EARLIER);
    expect(proof({}, { ...again, verified: false }).reencryption?.completedAt).toBe(again.completedAt);
  });
  test("begun again after it was complete => no time of completion", () => {
    expect(proof({}, { ...complete, phase: "Verifying" }).reencryption).not.toHaveProperty("completedAt");
  });
});
