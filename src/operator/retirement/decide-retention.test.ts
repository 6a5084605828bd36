import { expect, test } from "vitest";
import { kmsKeyId, parseKeyId, parseVersionId } from "../../crypto/ids.ts";
import type { WaitingPeriod } from "../../keyring/tables/waiting-periods.ts";
import {
  deletionPeriod,
  keyVersion,
  masterKey,
  NOW,
  node,
  statusWith,
  tombstone,
  waiting,
} from "../../testing/objects.ts";
import { decideRetention, type ObservedRetention, type UsageProof } from "./decide-retention.ts";

const DESTROY = { policy: "Destroy", afterDays: 7 } as const;
const v2 = keyVersion(2, { metadata: { creationTimestamp: "2025-12-26T03:00:00Z" } });
const idOf = ({ spec }: typeof v2) => kmsKeyId(parseKeyId(spec.keyId), parseVersionId(spec.versionId));
const v1 = keyVersion(1, { status: { state: "Retired", kmsKeyId: idOf(keyVersion(1)) } });
const v3 = keyVersion(3);
const at2 = statusWith(v2);
const used = [{ reason: "ProviderUsesKey", text: "provider p of node one" }] as const;
const proven = (changes: Partial<NonNullable<UsageProof["reencryption"]>> = {}): UsageProof => ({
  unsettled: [],
  reencryption: { kmsKeyId: idOf(v2), verified: true, completedAt: "2025-12-26T03:04:05Z", ...changes },
});
const { completedAt: _, ...unfinished } = proven().reencryption ?? { kmsKeyId: "", verified: false };

/** This node has seen it for long, so the claimed times decide. */
const period: WaitingPeriod = {
  ...deletionPeriod(1),
  kind: "retention",
  subject: idOf(v2),
  until: 0,
  length: 0,
};

const passes: ObservedRetention = {
  masterKey: masterKey({ spec: { retention: DESTROY }, status: at2 }),
  versions: [v1, v2, v3],
  nodes: [node("one", [])],
  uses: used,
  proof: proven(),
  count: { kind: "counted", stored: () => 0 },
  waiting: waiting([period]),
};
function decide(changes: Partial<ObservedRetention>): string {
  const plan = decideRetention({ ...passes, ...changes }, NOW);
  if (plan.kind === "destroy") return `destroy ${plan.versions.map(({ spec }) => spec.number).join(" ")}`;
  if (plan.kind === "keep") return `keep until ${plan.until}`;
  return plan.kind === "wait" ? plan.reason : plan.kind;
}

test.each<readonly [string, Partial<ObservedRetention>, string]>([
  ["the period is over and all is proven => versions before the current one", {}, "destroy 1"],
  ["no retention => none", { masterKey: masterKey({ status: at2 }) }, "none"],
  [
    "policy Keep => none",
    { masterKey: masterKey({ spec: { retention: { ...DESTROY, policy: "Keep" } }, status: at2 }) },
    "none",
  ],
  ["nothing retired => none", { versions: [v2, v3] }, "none"],
  ["the retired one is destroyed already => none", { versions: [tombstone(1), v2] }, "none"],
  ["no current version => none", { masterKey: masterKey({ spec: { retention: DESTROY } }) }, "none"],
  [
    "a second before the period is over => kept until then",
    { proof: proven({ completedAt: "2025-12-26T03:04:06Z" }) },
    "keep until 2026-01-02T03:04:06Z",
  ],
  [
    "it is said to be complete from before its version was made, as a clock was behind => kept as long as from then",
    {
      proof: proven({ completedAt: "2025-06-26T03:04:05Z" }),
      versions: [v1, keyVersion(2, { metadata: { creationTimestamp: "2025-12-26T03:04:06Z" } })],
    },
    "keep until 2026-01-02T03:04:06Z",
  ],
  [
    "it is said to be complete from long ago, and this node saw it a day ago => kept as long as from then",
    { waiting: waiting([{ ...period, since: NOW.getTime() - 86_400_000 }]) },
    "keep until 2026-01-08T03:04:05Z",
  ],
  ["this node has no record of it => kept", { waiting: waiting() }, "WaitingPeriodNotOver"],
  [
    "clocks disagree => kept, and said before the date",
    {
      proof: proven({ completedAt: "2026-01-01T03:04:05Z" }),
      waiting: waiting([period], {
        time: { kind: "disagree", reason: "ClocksDisagree", message: "by 40 days", doubted: false },
      }),
    },
    "ClocksDisagree",
  ],
  [
    "nobody confirms this node's clock, and it has not seen the time pass => kept",
    { waiting: waiting([period], { time: { kind: "agreed", independent: false } }) },
    "TimeNotSeen",
  ],
  [
    "the key is to be deleted => kept: that decides",
    {
      masterKey: masterKey({
        spec: { retention: DESTROY, deletion: { pendingWindowInDays: 7 } },
        status: at2,
      }),
    },
    "PendingDeletion",
  ],
  [
    "an HMAC key => kept",
    {
      masterKey: masterKey({
        spec: { retention: DESTROY, keySpec: "HMAC_256", keyUsage: "GENERATE_VERIFY_MAC" },
        status: at2,
      }),
    },
    "NotForKmsV2",
  ],
  ["no provider serves it => kept", { uses: [] }, "NotForKmsV2"],
  [
    "an alias alone points to it => kept",
    { uses: [{ reason: "AliasPointsToKey", text: "a" }] },
    "NotForKmsV2",
  ],
  [
    "a node's API server may use an earlier key_id => kept",
    { proof: { ...proven(), unsettled: ["p of one"] } },
    "NotSettled",
  ],
  ["nothing was re-encrypted => kept", { proof: { unsettled: [] } }, "NotReencrypted"],
  ["re-encrypted and not verified => kept", { proof: proven({ verified: false }) }, "NotReencrypted"],
  [
    "re-encryption not complete => kept",
    { proof: { unsettled: [], reencryption: unfinished } },
    "NotReencrypted",
  ],
  ["complete at a time that is none => kept", { proof: proven({ completedAt: "soon" }) }, "NotReencrypted"],
  [
    "re-encrypted under an earlier version => kept",
    { proof: proven({ kmsKeyId: idOf(v1) }) },
    "NotReencrypted",
  ],
  [
    "a census shows objects under it => kept",
    { count: { kind: "counted", stored: (id) => (id === idOf(v1) ? 1 : 0) } },
    "ObjectsUnderKey",
  ],
  [
    "the same of a version without a status, as one that was handed back => kept",
    {
      versions: [keyVersion(1), v2],
      count: { kind: "counted", stored: (id) => (id === idOf(v1) ? 1 : 0) },
    },
    "ObjectsUnderKey",
  ],
  [
    "a census shows objects under others only => destroyed",
    { count: { kind: "counted", stored: (id) => (id === idOf(v1) ? 0 : 9) } },
    "destroy 1",
  ],
  ["what is stored is not counted => kept", { count: { kind: "pending" } }, "Counting"],
  ["it cannot be counted => kept", { count: { kind: "failed", message: "etcd is down" } }, "NotCounted"],
  ["the leader has no etcd => kept", { count: { kind: "impossible" } }, "NotCounted"],
  [
    "not counted before the period is over => nothing needs counting",
    { count: { kind: "pending" }, proof: proven({ completedAt: "2025-12-26T03:04:06Z" }) },
    "keep until 2026-01-02T03:04:06Z",
  ],
  ["a node is silent => kept", { nodes: [node("one", [], { stale: true })] }, "NodeNotHeardOf"],
  ["a node has a problem => kept", { nodes: [node("one", [], { problem: "disk" })] }, "NodeNotReady"],
  ["no node => kept", { nodes: [] }, "NoKeyServers"],
])("%s", (_, changes, expected) => expect(decide(changes)).toBe(expected));

test("=> gives its reason", () => {
  expect(decideRetention(passes, NOW)).toMatchObject({
    why: "its retention ended: everything under MasterKey apps/secrets was re-encrypted by 2025-12-26T03:04:05Z",
  });
});
