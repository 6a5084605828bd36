import { describe, expect, test } from "vitest";
import type { KeyServerStatus, MasterKeyStatus } from "../kube/resources.ts";
import { EARLIER, keyServer, keyVersion, masterKey, statusWith } from "./testing.ts";
import { proofOf } from "./usage-proof.ts";

const at2 = statusWith(keyVersion(2));
const current = at2.currentVersion?.kmsKeyId ?? "";
const serves = new Set(["apps/secrets", "alias apps/main"]);
const earlier = statusWith(keyVersion(1)).currentVersion?.kmsKeyId ?? "";
type Provider = NonNullable<KeyServerStatus["providers"]>[number];
const server = (changes: Partial<Provider>) =>
  keyServer("one", {
    providers: [
      { name: "p", socket: "/p", serves: "apps/secrets", kmsKeyId: current, settled: true, ...changes },
    ],
  });
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
