/** Small builders of objects for the tests of the decisions. */
import { type KeyId, kmsKeyId, parseKeyId, parseVersionId, type VersionId } from "../crypto/ids.ts";
import type { KeyRow, VersionRow } from "../keyring/rows.ts";
import { periodKey, type WaitingPeriod } from "../keyring/tables/waiting-periods.ts";
import type { StatusPart } from "../operator/master-key/assemble-status.ts";
import type { NodeView } from "../operator/nodes/node-view.ts";
import type { Waiting } from "../operator/retirement/waiting-period.ts";
import { toVersionRow } from "../resources/key-version-rows.ts";
import {
  API_VERSION,
  type KeyAlias,
  type KeyServer,
  type KeyVersion,
  type MasterKey,
  type ObjectMeta,
} from "../resources/resources.ts";
import type { Condition } from "../resources/schemas/fields.ts";
import type { KeyServerStatus } from "../resources/schemas/key-server.ts";
import type { MasterKeyStatus } from "../resources/schemas/master-key.ts";
import { DAY_MILLISECONDS } from "../times.ts";

export const NOW = new Date("2026-01-02T03:04:05.678Z");
export const NOW_TEXT = "2026-01-02T03:04:05Z";
export const EARLIER = "2026-01-01T00:00:00Z";

/** Returns the n-th key's id. */
export const keyId = (n: number): KeyId => parseKeyId(`aaaaaaaa-0000-4000-8000-${digits(n)}`);
/** Returns the n-th version id; they sort as their numbers do. */
export const versionId = (n: number): VersionId => parseVersionId(`bbbbbbbb-0000-4000-8000-${digits(n)}`);

const digits = (n: number): string => String(n).padStart(12, "0");

const metadata = (name: string, changes: Partial<ObjectMeta>): ObjectMeta => ({
  name,
  uid: `uid-of-${name}`,
  resourceVersion: "1",
  generation: 1,
  creationTimestamp: EARLIER,
  ...changes,
});

interface MasterKeyChanges {
  readonly metadata?: Partial<ObjectMeta>;
  readonly spec?: Partial<MasterKey["spec"]>;
  readonly status?: MasterKeyStatus;
}

/** Returns MasterKey apps/secrets, new unless `status` says otherwise. */
export const masterKey = (changes: MasterKeyChanges = {}): MasterKey => ({
  apiVersion: API_VERSION,
  kind: "MasterKey",
  metadata: metadata("secrets", { namespace: "apps", ...changes.metadata }),
  spec: {
    description: "",
    enabled: true,
    keySpec: "SYMMETRIC_DEFAULT",
    keyUsage: "ENCRYPT_DECRYPT",
    origin: "AWS_KMS",
    tags: {},
    ...changes.spec,
  },
  ...(changes.status && { status: changes.status }),
});

/** Returns the n-th version of key 1 of apps/secrets. The object is named and numbered after n. */
export function keyVersion(
  n: number,
  changes: {
    readonly metadata?: Partial<ObjectMeta>;
    readonly spec?: Partial<KeyVersion["spec"]>;
    readonly status?: KeyVersion["status"];
  } = {},
): KeyVersion {
  const spec = {
    masterKey: { namespace: "apps", name: "secrets" },
    keyId: keyId(1),
    number: n,
    versionId: versionId(n),
    keySpec: "SYMMETRIC_DEFAULT",
    keyUsage: "ENCRYPT_DECRYPT",
    origin: "AWS_KMS",
    seal: { provider: "file", rootKeyId: "root-1", sealed: Buffer.from(`blob ${n}`).toString("base64") },
    ...changes.spec,
  } as const;
  return {
    apiVersion: API_VERSION,
    kind: "KeyVersion",
    metadata: metadata(`${spec.keyId}-${n}`, changes.metadata ?? {}),
    spec,
    ...(changes.status && { status: changes.status }),
  };
}

/** Returns the tombstone of the n-th version. */
export function tombstone(n: number, status: KeyVersion["status"] = {}): KeyVersion {
  const { spec, ...rest } = keyVersion(n);
  const { seal: _, ...identity } = spec;
  const proof = { provider: "file", rootKeyId: "root-1", sealed: "cHJvb2Y=" };
  return {
    ...rest,
    spec: { ...identity, destroyed: { at: EARLIER, reason: "its deletion came due", proof } },
    status,
  };
}

/** Returns the same version as a row of the keyring. */
export const versionRow = (
  n: number,
  changes: { readonly spec?: Partial<KeyVersion["spec"]> } = {},
): VersionRow => toVersionRow(keyVersion(n, changes));

/** Returns the status entry of a version that is current. */
export const currentVersion = ({ spec }: KeyVersion): NonNullable<MasterKeyStatus["currentVersion"]> => ({
  number: spec.number,
  versionId: spec.versionId,
  kmsKeyId: kmsKeyId(parseKeyId(spec.keyId), parseVersionId(spec.versionId)),
  promotedAt: EARLIER,
});

/** Returns the status of a key whose current version this is. */
export const statusWith = (current: KeyVersion): MasterKeyStatus => ({
  keyId: current.spec.keyId,
  currentVersion: currentVersion(current),
});

/** Returns apps/secrets as a row of this node, with version `n` current. */
export const keyRow = (n?: number, changes: Partial<KeyRow> = {}): KeyRow => ({
  namespace: "apps",
  name: "secrets",
  keyId: keyId(1),
  enabled: true,
  formerKeyIds: [],
  ...(n !== undefined && { current: { versionId: versionId(n), number: n } }),
  ...changes,
});

/** Returns KeyAlias apps/main, which should point to apps/secrets. */
export const keyAlias = (changes: {
  readonly spec?: KeyAlias["spec"];
  readonly status?: KeyAlias["status"];
}): KeyAlias => ({
  apiVersion: API_VERSION,
  kind: "KeyAlias",
  metadata: metadata("main", { namespace: "apps", generation: 4 }),
  spec: changes.spec ?? { masterKey: "secrets" },
  ...(changes.status && { status: changes.status }),
});

export const keyServer = (
  name: string,
  status?: KeyServerStatus,
  changes: Partial<ObjectMeta> = {},
): KeyServer => ({
  apiVersion: API_VERSION,
  kind: "KeyServer",
  metadata: metadata(name, changes),
  ...(status && { status }),
});

/** Returns a node that just renewed its Lease and has prepared these versions. */
export const node = (
  name: string,
  prepared: readonly string[],
  changes: Partial<NodeView> = {},
): NodeView => ({
  name,
  lastHeard: NOW,
  stale: false,
  prepared: new Set(prepared),
  ...changes,
});

/** A key that no socket serves and whose stored objects nobody works on, in a namespace with room. */
export const unserved = {
  switches: [],
  work: { kind: "idle" },
  reachable: true,
  census: false,
  room: {},
} as const;

/** Returns the record of a node whose clock others confirm, and that has seen these periods begin. */
export const waiting = (periods: readonly WaitingPeriod[] = [], changes: Partial<Waiting> = {}): Waiting => ({
  time: { kind: "agreed", independent: true },
  periods: new Map(periods.map((period) => [periodKey(period), period])),
  seen: 0,
  ...changes,
});

/** Returns a deletion of the n-th key that this node has seen for long. */
export const deletionPeriod = (n: number, changes: Partial<WaitingPeriod> = {}): WaitingPeriod => ({
  kind: "deletion",
  subject: keyId(n),
  since: Date.parse("2025-12-01T00:00:00Z"),
  until: Date.parse("2025-12-08T00:00:00Z"),
  length: 7 * DAY_MILLISECONDS,
  seenAt: 0,
  agreed: true,
  asked: true,
  ...changes,
});

/** Returns the knowledge of a TimeKeeper, without clocks and keyring. */
export const timeKeeper = (known: Waiting = waiting()) => ({
  ask: async () => undefined,
  note: () => undefined,
  now: () => NOW,
  waiting: known,
  doubt: undefined,
});

export const condition = (type: string, changes: Partial<Condition> = {}): Condition => ({
  type,
  status: "True",
  reason: "Because",
  message: "it is so",
  lastTransitionTime: EARLIER,
  ...changes,
});

/** A part that says the same as a status. */
export function partLike({ conditions = [], ...fields }: MasterKeyStatus): StatusPart {
  const findings = conditions.map(({ type, status, reason, message }) => ({ type, status, reason, message }));
  return { fields, findings };
}
