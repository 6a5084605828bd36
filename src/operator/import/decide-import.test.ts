import { describe, expect, test } from "vitest";
import type { KeyVersion } from "../../resources/resources.ts";
import type { ImportSpec, ImportStatus } from "../../resources/schemas/import.ts";
import type { MasterKeySpec, MasterKeyStatus } from "../../resources/schemas/master-key.ts";
import {
  currentVersion,
  EARLIER,
  keyId,
  keyServer,
  keyVersion,
  masterKey,
  NOW,
  node,
  unserved,
  waiting,
} from "../../testing/objects.ts";
import { decideMasterKey } from "../master-key/decide-master-key.ts";
import { usersOf } from "../retirement/key-uses.ts";
import { decideImport, isPendingImport } from "./decide-import.ts";
import { type KeyUsers, newDeletion } from "./decide-material-deletion.ts";
import { offerOf } from "./import-offer.ts";

/**
 * A token as far as the decision reads it: its end, a day after NOW. Only the importer checks that it opens.
 */
const TOKEN = Buffer.concat([
  Buffer.of(1, 0, 0, 0, 0),
  Buffer.from(Math.floor(NOW.getTime() / 1000 + 86_400).toString(16), "hex"),
  Buffer.of(0, 0),
]).toString("base64");

const OFFER: ImportSpec = {
  wrappingKeySpec: "RSA_3072",
  expirationModel: "KEY_MATERIAL_DOES_NOT_EXPIRE",
  wrappedMaterial: "AAAA",
  wrappingAlgorithm: "RSAES_OAEP_SHA_256",
  importToken: TOKEN,
};
const ASKED: ImportSpec = {
  wrappingKeySpec: "RSA_3072",
  expirationModel: "KEY_MATERIAL_DOES_NOT_EXPIRE",
  requestToken: "r",
};
const PROCESSED = { digest: offerOf(OFFER)?.digest ?? "" };
const published = (hours: number, rest: ImportStatus = {}): ImportStatus => ({
  publicKey: "PEM",
  importToken: TOKEN,
  validTo: new Date(NOW.getTime() + hours * 3600 * 1000).toISOString(),
  ...rest,
});

const UNUSED: KeyUsers = {
  uses: [],
  unsettled: [],
  nodes: [node("node-1", [])],
  count: { kind: "counted", stored: () => 0 },
};
const used = (reason: "ProviderUsesKey" | "AliasPointsToKey"): KeyUsers => ({
  ...UNUSED,
  uses: [{ reason, text: "somebody" }],
});
const uncountable: KeyUsers = { ...UNUSED, count: { kind: "impossible" } };
const DELETED = "d".repeat(64);
const LATER = "2026-02-01T00:00:00Z";
const DELETE: ImportSpec = {
  wrappingKeySpec: "RSA_3072",
  expirationModel: "KEY_MATERIAL_DOES_NOT_EXPIRE",
  requestToken: "r",
  deleteMaterialId: DELETED,
};
const deleting = (rest: Partial<Row>) => {
  const version = imported(1, { materialId: DELETED });
  return { spec: { import: DELETE }, status: current(version), versions: [version], ...rest };
};

const imported = (n: number, spec: Partial<KeyVersion["spec"]> = {}) =>
  keyVersion(n, { spec: { origin: "EXTERNAL", ...spec } });
const v1 = imported(1);
const v2 = imported(2);
const expired = imported(1, { validTo: "2026-01-01T00:00:00Z" });

interface Row {
  readonly name: string;
  readonly spec?: Partial<MasterKeySpec>;
  readonly status?: MasterKeyStatus;
  readonly versions?: readonly KeyVersion[];
  readonly prepared?: readonly KeyVersion[];
  readonly users?: KeyUsers;
  readonly step: string;
}

function observe({
  spec = {},
  status = { keyId: keyId(1) },
  versions = [],
  prepared = [],
  users = UNUSED,
}: Row) {
  const key = masterKey({ spec: { origin: "EXTERNAL", ...spec }, status });
  const nodes = [
    node(
      "node-1",
      prepared.map((version) => version.spec.versionId),
    ),
  ];
  const plan = decideMasterKey(
    { masterKey: key, versions, nodes, ...unserved, freshKeyId: keyId(7), arnPrefix: "" },
    NOW,
  );
  const freshUsers = async () => users;
  return { masterKey: key, plan, versions, nodes, room: {}, users: () => users, freshUsers };
}

const current = (version: KeyVersion, rest: MasterKeyStatus = {}): MasterKeyStatus => ({
  keyId: keyId(1),
  currentVersion: currentVersion(version),
  ...rest,
});

const rows: readonly Row[] = [
  { name: "claviger makes the material => nothing", spec: { origin: "AWS_KMS" }, step: "none" },
  { name: "no keyId yet => nothing: a token is bound to it", status: {}, step: "none" },
  { name: "no material, nothing published => publish", step: "publish RSA_4096" },
  {
    name: "a smaller wrapping key is asked for => publish that",
    spec: { import: ASKED },
    step: "publish RSA_3072",
  },
  {
    name: "published, 13 hours left => nothing",
    status: { keyId: keyId(1), import: published(13) },
    step: "none",
  },
  {
    name: "published, 12 hours left => publish anew",
    status: { keyId: keyId(1), import: published(12) },
    step: "publish RSA_4096",
  },
  {
    name: "published, expired => publish anew",
    status: { keyId: keyId(1), import: published(-3) },
    step: "publish RSA_4096",
  },
  {
    name: "published, and asked for once more => publish anew",
    spec: { import: ASKED },
    status: { keyId: keyId(1), import: published(20) },
    step: "publish RSA_3072",
  },
  {
    name: "published for that request => nothing",
    spec: { import: ASKED },
    status: { keyId: keyId(1), import: published(20, { requestToken: "r" }) },
    step: "none",
  },
  { name: "material is there => nothing", status: current(v1), versions: [v1], step: "none" },
  {
    name: "material is there, and asked for => publish",
    spec: { import: ASKED },
    status: current(v1),
    versions: [v1],
    step: "publish RSA_3072",
  },
  {
    name: "the request led to an import => nothing, though the request still stands there",
    spec: { import: ASKED },
    status: current(v1, {
      import: { requestToken: "r", processed: { digest: "d", requestToken: "r", number: 1 } },
    }),
    versions: [v1],
    step: "none",
  },
  {
    name: "the request led to a refusal => public key and token go on being renewed",
    spec: { import: ASKED },
    status: current(v1, {
      import: published(2, { requestToken: "r", processed: { digest: "d", requestToken: "r" } }),
    }),
    versions: [v1],
    step: "publish RSA_3072",
  },
  {
    name: "the current material has expired => publish",
    status: current(expired),
    versions: [expired],
    step: "publish RSA_4096",
  },
  {
    name: "the first version is on its way to the nodes => nothing",
    versions: [v1],
    step: "none",
  },
  {
    name: "a version is promoted in this pass => nothing more in it",
    spec: { import: OFFER },
    versions: [v1],
    prepared: [v1],
    step: "none",
  },
  { name: "an offer => open it", spec: { import: OFFER }, step: "open" },
  {
    name: "an offer to a key that is pending deletion => refused",
    spec: { import: OFFER },
    status: {
      keyId: keyId(1),
      deletion: { scheduledAt: "2026-01-01T00:00:00Z", deletionDate: "2026-01-31T00:00:00Z" },
    },
    step: "refuse PendingDeletion: the key is pending deletion: remove spec.deletion, then import again",
  },
  {
    name: "an offer while the key is disabled => open it, as AWS KMS does",
    spec: { import: OFFER, enabled: false },
    step: "open",
  },
  {
    name: "an offer that was processed => nothing, and parameters as they are",
    spec: { import: OFFER },
    status: { keyId: keyId(1), import: published(20, { processed: PROCESSED }) },
    step: "none",
  },
  {
    name: "an offer, and the current version's KeyVersion is gone => wait: it could not be compared",
    spec: { import: OFFER },
    status: current(v2),
    versions: [v1],
    step: "wait VersionsMissing",
  },
  {
    name: "deletion of material that nobody uses => its use ends now",
    ...deleting({}),
    step: "delete by a date that is past by every clock",
  },
  {
    name: "deletion of the material of an alias's key => its use ends now: an alias by itself uses nothing",
    ...deleting({ users: used("AliasPointsToKey") }),
    step: "delete by a date that is past by every clock",
  },
  {
    name: "deletion of material that expired => processed, and nothing changes",
    ...deleting({ versions: [imported(1, { materialId: DELETED, validTo: "2026-01-01T00:00:00Z" })] }),
    step: "delete before",
  },
  {
    name: "deletion that a leader made and did not report, and this one's clock is behind => processed, and nothing changes",
    ...deleting({
      versions: [
        keyVersion(1, {
          metadata: { creationTimestamp: LATER },
          spec: { origin: "EXTERNAL", materialId: DELETED, validTo: LATER },
        }),
      ],
    }),
    step: "delete before",
  },
  {
    name: "deletion of material that no version has => refused",
    ...deleting({ versions: [v1] }),
    step: "refuse MaterialNotFound",
  },
  {
    name: "deletion of material that an API server uses => refused",
    ...deleting({ users: used("ProviderUsesKey") }),
    step: "refuse InUse",
  },
  {
    name: "deletion while an API server may still write under a key that its provider has left => waits",
    ...deleting({ users: { ...UNUSED, unsettled: ["provider p of node one"] } }),
    step: "wait NotSettled",
  },
  {
    name: "the same, and somebody vouches that nothing is stored => waits: nobody knows what is yet to be written",
    ...deleting({
      users: { ...uncountable, unsettled: ["provider p of node one"] },
      spec: { import: { ...DELETE, withoutCensus: true } },
    }),
    step: "wait NotSettled",
  },
  {
    name: "deletion while a node is not heard of => waits: its API server may use the key",
    ...deleting({ users: { ...UNUSED, nodes: [node("one", [], { stale: true })] } }),
    step: "wait NodeNotHeardOf",
  },
  {
    name: "deletion while a node has not reported what it serves => waits",
    ...deleting({ users: { ...UNUSED, nodes: [node("one", [], { unreported: true })] } }),
    step: "wait NodeNotReady",
  },
  {
    name: "deletion of the material of a key that no API server can use => its use ends now, whatever API servers do",
    ...deleting({
      versions: [imported(1, { materialId: DELETED, keySpec: "HMAC_256", keyUsage: "GENERATE_VERIFY_MAC" })],
      users: { ...UNUSED, unsettled: ["provider p of node one"], nodes: [node("one", [], { stale: true })] },
    }),
    step: "delete by a date that is past by every clock",
  },
  {
    name: "deletion while the stored objects are being counted => waits",
    ...deleting({ users: { ...UNUSED, count: { kind: "pending" } } }),
    step: "wait Counting",
  },
  {
    name: "deletion without an etcd to count in => refused",
    ...deleting({ users: uncountable }),
    step: "refuse NotCounted",
  },
  {
    name: "deletion without an etcd, and somebody vouches => its use ends now",
    ...deleting({ users: uncountable, spec: { import: { ...DELETE, withoutCensus: true } } }),
    step: "delete by a date that is past by every clock",
  },
  {
    name: "deletion, and the key is pending deletion => its use ends now, as in AWS KMS",
    ...deleting({
      status: {
        ...current(imported(1, { materialId: DELETED })),
        deletion: { scheduledAt: "2026-01-01T00:00:00Z", deletionDate: "2026-01-31T00:00:00Z" },
      },
    }),
    step: "delete by a date that is past by every clock",
  },
  {
    name: "deletion that was processed => nothing, and no parameters, which nobody asked for",
    ...deleting({
      status: {
        ...current(imported(1, { materialId: DELETED })),
        import: {
          processed: {
            digest: newDeletion(masterKey({ spec: { origin: "EXTERNAL", import: DELETE } }))?.digest ?? "",
          },
        },
      },
    }),
    step: "none",
  },
];

describe("decideImport", () => {
  test.each(rows)("$name", (row) => {
    const step = decideImport(observe(row), NOW);
    const brief = {
      none: () => "none",
      open: () => "open",
      publish: () => (step.kind === "publish" ? `publish ${step.keySpec}` : ""),
      wait: () => (step.kind === "wait" ? `wait ${step.finding.reason}` : ""),
      delete: () => (step.kind === "delete" ? deletedWhen(step.validTo) : ""),
      refuse: () => (step.kind === "refuse" ? `refuse ${step.finding.reason}: ${step.finding.message}` : ""),
    }[step.kind]();
    expect(row.step.includes(":") ? brief : brief.split(":")[0]).toBe(row.step);
  });
});

test("material of a key that a provider has just left is not deleted, although nothing is stored under it yet", () => {
  const version = imported(1, { materialId: DELETED });
  const providers = [
    { name: "p", socket: "/p", serves: "apps/other", kmsKeyId: "other", episode: "e", settled: false },
  ];
  const users = usersOf(masterKey({ status: current(version) }), [version], {
    ...{ keyServers: [keyServer("one", { providers })], keyAliases: [], nodes: [node("one", [])] },
    ...{ count: UNUSED.count, waiting: waiting([]) },
  });
  expect(decideImport(observe({ name: "", step: "", ...deleting({ users }) }), NOW)).toMatchObject({
    kind: "wait",
    finding: {
      reason: "NotSettled",
      message: expect.stringMatching(/^the material is not deleted yet: .* through provider p of node one: /),
    },
  });
});

const deletedWhen = (validTo: string | undefined): string => {
  if (validTo === undefined) return "delete before";
  return `delete ${validTo === EARLIER ? "by a date that is past by every clock" : validTo}`;
};

describe("while nobody knows what time it is", () => {
  const timeUnknown = { reason: "ClocksDisagree", message: "by 40 days" };
  test("an offer whose token has ended by this clock => waits, and is not refused for good", () => {
    const observed = observe({ name: "", step: "", spec: { import: OFFER } });
    const late = new Date(NOW.getTime() + 40 * 86_400_000);
    expect(decideImport(observed, late)).toMatchObject({ kind: "refuse" });
    expect(decideImport({ ...observed, timeUnknown }, late)).toMatchObject({
      kind: "wait",
      finding: { reason: "ClocksDisagree" },
    });
  });
  test("no token is published, which would have ended before anybody uses it", () => {
    expect(decideImport({ ...observe({ name: "", step: "" }), timeUnknown }, NOW)).toEqual({ kind: "none" });
  });
});

describe("a key is PendingImport", () => {
  test.each([
    ["without any version => yes", {}, true],
    ["with its first version on the way => no", { versions: [v1] }, false],
    ["with current material => no", { status: current(v1), versions: [v1] }, false],
    ["with current material that expired => yes", { status: current(expired), versions: [expired] }, true],
    [
      "with older material that expired => no: AWS KMS would stop the key, and here the API server would stop with it",
      { status: current(v2), versions: [expired, v2] },
      false,
    ],
    ["with its KeyVersion gone => no: the nodes bring it back", { status: current(v1) }, false],
    ["that claviger makes => no", { spec: { origin: "AWS_KMS" as const } }, false],
  ])("%s", (name, row, expected) => {
    expect(isPendingImport(observe({ name, step: "", ...row }), NOW)).toBe(expected);
  });
});
