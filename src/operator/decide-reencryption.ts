import type { KeyServer, MasterKey, ReencryptionStatus } from "../kube/resources.ts";
import { objectsText } from "../storage/census-tally.ts";
import { mergeScopes, type Scope, sameScope, scopeText } from "../storage/scope.ts";
import { rfc3339, timeOf } from "../times.ts";
import { conditionOf, type Finding } from "./conditions.ts";
import type { NodeView } from "./decide-master-key.ts";
import { lacksRight } from "./missing-right.ts";
import { NODE_NAME_SHARED } from "./name-watch.ts";
import { describeNode } from "./waiting-nodes.ts";

/** What one KMS v2 socket that serves the key has shown of its API server. */
export interface Switch {
  readonly node: string;
  readonly provider: string;
  readonly kmsKeyId?: string;
  /** Encrypts under kmsKeyId, and how many prove that every entry has switched. Without entries nobody knows. */
  readonly encrypts: number;
  readonly entries?: number;
  readonly settled: boolean;
  readonly resources: Scope;
  /** The edit that put these resources there, where the API server has sent no Encrypt since: it goes by the file of before. */
  readonly editNotTakenUp?: string;
}

/** One going through the stored objects. */
export interface Round {
  readonly done: number;
  readonly total?: number;
  readonly ratePerSecond?: number;
  readonly secondsLeft?: number;
  readonly failed: number;
  readonly failures: NonNullable<ReencryptionStatus["failures"]>;
  readonly cursor?: ReencryptionStatus["cursor"];
}

/** What works on the key's stored objects at this moment, in this operator. */
export type Work =
  | { readonly kind: "idle" }
  | { readonly kind: "rewriting" | "rewritten"; readonly round: Round }
  | { readonly kind: "counting" }
  /** How many objects the census found under another key_id or none. */
  | { readonly kind: "counted"; readonly remaining: number }
  | { readonly kind: "failed"; readonly message: string };

export interface ObservedReencryption {
  readonly masterKey: MasterKey;
  readonly switches: readonly Switch[];
  /** All nodes: the sockets of one that has not reported yet are not among the switches. */
  readonly nodes: readonly NodeView[];
  readonly work: Work;
  /** Whether this operator reaches the stored objects at all; standalone it does not. */
  readonly reachable: boolean;
  /** Whether this operator can count what etcd holds. */
  readonly census: boolean;
}

/** What the leader is to have going on; a round or a census that runs already goes on. */
export type ReencryptionTask =
  | { readonly kind: "none" }
  | {
      readonly kind: "rewrite";
      readonly resources: Scope;
      readonly cursor?: ReencryptionStatus["cursor"];
    }
  | { readonly kind: "count"; readonly resources: Scope };

export interface ReencryptionPlan {
  readonly task: ReencryptionTask;
  /** Undefined where no API server stores anything under the key. */
  readonly status: ReencryptionStatus | undefined;
  readonly finding: Finding | undefined;
}

const NOTHING: ReencryptionTask = { kind: "none" };
/** What could not be written is tried again after a minute, then two, four, eight. */
const FIRST_PAUSE = 60_000;
const LONGEST_PAUSE = 480_000;

/**
 * Decides how stored data follows the current version of a key: once every API
 * server encrypts under it (the fast proof of KEP-3299's contract) all objects
 * are written again; once none can write under another key_id any more (the sure
 * proof) a census counts what is left. Nothing left is "Complete"; otherwise
 * another round begins. Without a census a round that began after the sure proof
 * and in which nothing failed is complete, unverified.
 */
export function decideReencryption(observed: ObservedReencryption, now: Date): ReencryptionPlan {
  const { masterKey, switches } = observed;
  const current = masterKey.status?.currentVersion;
  if (current === undefined) return { task: NOTHING, status: undefined, finding: undefined };
  const stated = masterKey.status?.reencryption;
  // A node that made its KeyServer anew may be the one that all this is about.
  const stands = stated?.kmsKeyId === current.kmsKeyId && unreported(observed).length > 0;
  const reported = switches.map((one) => one.resources);
  const resources = mergeScopes(stands ? [stated.resources, ...reported] : reported);
  if (switches.length === 0 && !stands) return { task: NOTHING, status: undefined, finding: undefined };
  const unknown = switches.every(({ entries }) => entries === undefined);
  if (unknown && observed.reachable && !stands) return scopeUnknown(masterKey, switches);
  if (!unknown && resources.length === 0) return { task: NOTHING, status: undefined, finding: undefined };
  if (!observed.reachable) return leftToOthers("standalone there is no API server to write to");
  if (masterKey.spec.reencryption?.engine === "None") return leftToOthers("spec.reencryption.engine is None");
  const before = carriedOver(stated, current.kmsKeyId, resources, now);
  if (!masterKey.spec.enabled && before.phase !== "Complete") return paused(before);
  return phases[before.phase](before, observed, now);
}

/** A new current version, or other resources: all over again; a round of these never has the number of one of others. */
function carriedOver(
  before: ReencryptionStatus | undefined,
  kmsKeyId: string,
  resources: Scope,
  now: Date,
): ReencryptionStatus {
  const same = before?.kmsKeyId === kmsKeyId && sameScope(before.resources, resources);
  if (same) return before;
  const round = before?.kmsKeyId === kmsKeyId ? before.round : 0;
  return anew({ kmsKeyId, resources, round }, now);
}

function anew(
  { kmsKeyId, resources, round }: Pick<ReencryptionStatus, "kmsKeyId" | "resources" | "round">,
  now: Date,
): ReencryptionStatus {
  return { kmsKeyId, phase: "Switching", verified: false, resources, startedAt: rfc3339(now), round };
}

/** A disabled key opens nothing, so nothing can be written again. */
const paused = (status: ReencryptionStatus): ReencryptionPlan => ({
  task: NOTHING,
  status,
  finding: unfinished("KeyDisabled", "the key is disabled: stored data follows when it is enabled again"),
});

type Phase = (before: ReencryptionStatus, observed: ObservedReencryption, now: Date) => ReencryptionPlan;

const phases: Readonly<Record<ReencryptionStatus["phase"], Phase>> = {
  Switching: (before, observed, now) => {
    const awaited = waitedFor(observed, (one) => hasSwitched(one, before.kmsKeyId));
    if (awaited.length === 0) return beginRound(before, observed, now);
    const message = `waiting for the API servers behind ${textOf(awaited)} to encrypt under key_id ${before.kmsKeyId}`;
    return { task: NOTHING, status: before, finding: unfinished(reasonOf(awaited, "Switching"), message) };
  },
  Reencrypting: (before, observed, now) => {
    const { work } = observed;
    if (before.nextRoundAt !== undefined) return pausing(before, observed, now);
    if (work.kind === "failed") return failing(resumed(before), "RewriteFailed", work.message);
    if (work.kind === "idle") return rewriting(resumed(before));
    const status =
      work.kind === "rewriting" || work.kind === "rewritten" ? progress(before, work.round) : before;
    if (work.kind === "rewritten") return verify({ ...status, phase: "Verifying" }, observed);
    return rewriting(status);
  },
  Verifying: (before, observed, now) => {
    const { work, census } = observed;
    if (unsettled(observed, before.kmsKeyId).length > 0) return verify(before, observed);
    if (!census) return withoutCensus(before, observed, now);
    if (work.kind === "failed") return failing(before, "CensusFailed", work.message);
    if (work.kind !== "counted") return verify(before, observed);
    const status = { ...before, remaining: work.remaining };
    return work.remaining === 0 ? complete(status, true, now) : beginRound(status, observed, now);
  },
  Complete: (before, observed, now) => {
    const moved = observed.switches.some(
      ({ kmsKeyId }) => kmsKeyId !== undefined && kmsKeyId !== before.kmsKeyId,
    );
    // The status is from a backup, or a node was away: what was proven then does not hold.
    if (moved) return phases.Switching(anew(before, now), observed, now);
    // This operator can prove what the one that completed it could not.
    const canProve = observed.census && observed.masterKey.spec.enabled;
    if (canProve && !before.verified) return phases.Verifying(unproven(before), observed, now);
    return { task: NOTHING, status: before, finding: completed(before) };
  },
};

const unproven = ({ completedAt: _, ...status }: ReencryptionStatus): ReencryptionStatus => ({
  ...status,
  phase: "Verifying",
});

const hasSwitched = (one: Switch, kmsKeyId: string): boolean =>
  one.kmsKeyId === kmsKeyId &&
  goesByItsFile(one) &&
  (one.settled || (one.entries !== undefined && one.encrypts >= one.entries));

type Sockets = Pick<ObservedReencryption, "switches" | "nodes">;

/** Behind what an API server has something to show yet, and whether its node's operator would tell. */
interface Awaited {
  readonly where: string;
  readonly silent: boolean;
}

/** Nodes whose API servers may write under any key_id, for all that they have said. */
function unreported({ nodes }: Pick<Sockets, "nodes">): Awaited[] {
  if (nodes.length === 0)
    return [{ where: "the nodes (none has reported yet what it serves)", silent: false }];
  return nodes
    .filter((node) => node.unreported === true)
    .map((node) => ({
      where: node.stale
        ? describeNode(node)
        : `${node.name} (its operator has not reported yet what it serves)`,
      silent: node.stale,
    }));
}

/** What has not shown it. */
function waitedFor(sockets: Sockets, hasShown: (one: Switch) => boolean): Awaited[] {
  const waiting = sockets.switches.filter((one) => !hasShown(one));
  return [...waiting.map((one) => describe(one, sockets)), ...unreported(sockets)];
}

/** Behind what an API server may still write under another key_id. */
const unsettled = (sockets: Sockets, kmsKeyId: string): Awaited[] =>
  waitedFor(sockets, (one) => hasSettled(one, kmsKeyId));

const textOf = (awaited: readonly Awaited[]): string => awaited.map(({ where }) => where).join(", ");

/** A silent operator needs somebody; the rest passes by itself. */
const reasonOf = (awaited: readonly Awaited[], otherwise: string): string =>
  awaited.some(({ silent }) => silent) ? "NodeNotHeardOf" : otherwise;

/** Also where the file no longer has the socket: an API server that goes by the one from before writes there still. */
const hasSettled = (one: Switch, kmsKeyId: string): boolean =>
  one.kmsKeyId === kmsKeyId && one.settled && goesByItsFile(one);

/** What was taken out of the file sends no Encrypt, which would prove it. */
const goesByItsFile = ({ entries, editNotTakenUp }: Switch): boolean =>
  entries === 0 || editNotTakenUp === undefined;

function describe({ node, provider, editNotTakenUp }: Switch, { nodes }: Pick<Sockets, "nodes">): Awaited {
  const silent = nodes.find(({ name, stale }) => name === node && stale);
  if (silent !== undefined) return { where: `${provider} on ${describeNode(silent)}`, silent: true };
  const edit =
    editNotTakenUp === undefined
      ? ""
      : ` (to take up the EncryptionConfiguration of ${editNotTakenUp}: restart it)`;
  return { where: `${provider} on ${node}${edit}`, silent: false };
}

/** Beyond what a number holds it begins again: whoever wrote such a number must not stop the rounds. */
const nextRound = (round: number): number => (round < Number.MAX_SAFE_INTEGER ? round + 1 : 1);

/** At once the first time or when objects were only found, after a pause when some could not be written. */
function beginRound(before: ReencryptionStatus, sockets: Sockets, now: Date): ReencryptionPlan {
  const { cursor: _, done: __, total: ___, ...rest } = before;
  const round = nextRound(before.round);
  const settledRound = unsettled(sockets, before.kmsKeyId).length === 0;
  const status = { ...rest, phase: "Reencrypting" as const, round, settledRound };
  // A census that finds the same again after a settled round: those objects need somebody.
  const stuck = (before.failed ?? 0) > 0 || (before.settledRound === true && before.round > 0);
  if (!stuck) return rewriting(withoutFailures(status));
  const pause = Math.min(FIRST_PAUSE * 2 ** Math.max(0, before.round - 1), LONGEST_PAUSE);
  return pausing({ ...status, nextRoundAt: rfc3339(new Date(now.getTime() + pause)) }, sockets, now);
}

function pausing(status: ReencryptionStatus, sockets: Sockets, now: Date): ReencryptionPlan {
  const { nextRoundAt, ...rest } = status;
  if (nextRoundAt !== undefined && isAhead(nextRoundAt, now)) {
    return {
      task: NOTHING,
      status,
      finding: unfinished("ObjectsLeft", `${left(status)}; tried again at ${nextRoundAt}`),
    };
  }
  const settledRound = unsettled(sockets, status.kmsKeyId).length === 0;
  return rewriting(withoutFailures({ ...rest, settledRound }));
}

/** No pause is that long: a clock that was ahead for a while must not hold a round up for years. */
function isAhead(time: string, now: Date): boolean {
  const ahead = timeOf(time) - now.getTime();
  return ahead > 0 && ahead <= LONGEST_PAUSE;
}

/** A round that goes on from its cursor counts failures anew: where there were some, it alone proves nothing. */
const resumed = (status: ReencryptionStatus): ReencryptionStatus =>
  (status.failed ?? 0) > 0 ? { ...status, settledRound: false } : status;

const withoutFailures = ({ failed: _, failures: __, ...status }: ReencryptionStatus): ReencryptionStatus =>
  status;

function rewriting(status: ReencryptionStatus): ReencryptionPlan {
  const { done = 0, total } = status;
  const objects = total === undefined ? objectsText(done) : `${done} of ${objectsText(total)}`;
  const message = `${objects} written again under key_id ${status.kmsKeyId}, round ${status.round}`;
  const task = {
    kind: "rewrite",
    resources: status.resources,
    ...(status.cursor && { cursor: status.cursor }),
  } as const;
  return { task, status, finding: unfinished("Reencrypting", message) };
}

function progress(before: ReencryptionStatus, round: Round): ReencryptionStatus {
  const { cursor: _, secondsLeft: __, ratePerSecond: ___, failures: ____, ...rest } = before;
  const { failures, cursor, ...counts } = round;
  return { ...rest, ...counts, ...(cursor && { cursor }), ...(failures.length > 0 && { failures }) };
}

/** The census is taken once nothing can be written under another key_id any more. */
function verify(status: ReencryptionStatus, sockets: Sockets): ReencryptionPlan {
  const waiting = unsettled(sockets, status.kmsKeyId);
  if (waiting.length === 0) {
    const task = { kind: "count", resources: status.resources } as const;
    return { task, status, finding: unfinished("Verifying", "counting what etcd holds under which key_id") };
  }
  const message = `${objectsText(status.done ?? 0)} written again; waiting until the API servers behind ${textOf(waiting)} can write under no other key_id (four minutes)`;
  return { task: NOTHING, status, finding: unfinished(reasonOf(waiting, "Verifying"), message) };
}

function withoutCensus(before: ReencryptionStatus, sockets: Sockets, now: Date): ReencryptionPlan {
  const clean = before.settledRound === true && (before.failed ?? 0) === 0;
  return clean ? complete(before, false, now) : beginRound(before, sockets, now);
}

function complete(before: ReencryptionStatus, verified: boolean, now: Date): ReencryptionPlan {
  const { cursor: _, nextRoundAt: __, secondsLeft: ___, failed: ____, failures: _____, ...rest } = before;
  const status = { ...rest, phase: "Complete" as const, verified, completedAt: rfc3339(now) };
  return { task: NOTHING, status, finding: completed(status) };
}

function completed({ verified, kmsKeyId, resources }: ReencryptionStatus): Finding {
  const message = verified
    ? `a census of etcd found ${scopeText(resources)} under key_id ${kmsKeyId} only`
    : `${scopeText(resources)} were written again under key_id ${kmsKeyId}; no census proves it: set etcd in the configuration of every operator`;
  return { type: "Reencrypted", status: "True", reason: verified ? "Verified" : "Unverified", message };
}

const unfinished = (reason: string, message: string): Finding => ({
  type: "Reencrypted",
  status: "False",
  reason,
  message,
});

/** Said as it is and tried again: nothing is taken for done. */
const failing = (status: ReencryptionStatus, reason: string, message: string): ReencryptionPlan => ({
  task:
    status.phase === "Verifying"
      ? { kind: "count", resources: status.resources }
      : { kind: "rewrite", resources: status.resources, ...(status.cursor && { cursor: status.cursor }) },
  status,
  finding: unfinished(reason, message),
});

function left({ failed = 0, failures = [], remaining }: ReencryptionStatus): string {
  const counted =
    remaining === undefined
      ? ""
      : `${objectsText(remaining)} ${remaining === 1 ? "is" : "are"} under another key_id or none`;
  const named = failures.map(({ object, reason }) => `${object} (${reason})`).join(", ");
  const refused = failed === 0 ? "" : `${objectsText(failed)} could not be written: ${named}`;
  const missingRight = failures.find(lacksRight)?.message ?? "";
  return [counted, refused, missingRight].filter((part) => part !== "").join("; ");
}

/** What was known stays: a file that cannot be read just now undoes nothing. */
function scopeUnknown({ status }: MasterKey, switches: readonly Switch[]): ReencryptionPlan {
  const nodes = [...new Set(switches.map(({ node }) => node))].join(", ");
  const message = `what is stored under this key is not known, and nothing is written again: set encryptionConfig in the configuration of ${nodes} to the file of the API server's --encryption-provider-config, and restart the operator there; where it is set, the KeyServer says why it cannot be read`;
  const finding = {
    type: "Reencrypted",
    status: "Unknown",
    reason: "EncryptionConfigUnknown",
    message,
  } as const;
  return { task: NOTHING, status: status?.reencryption, finding };
}

const leftToOthers = (why: string): ReencryptionPlan => ({
  task: NOTHING,
  status: undefined,
  finding: {
    type: "Reencrypted",
    status: "Unknown",
    reason: "NotManaged",
    message: `${why}: stored data follows a new version when somebody writes it again`,
  },
});

/**
 * Whether a rotation to the current version is done, and proven: undefined while
 * it is not. Where nobody stores anything under the key, or nobody knows what, it
 * is done, unproven, once no API server can write under another key_id.
 */
export function rotationOutcome(
  kmsKeyId: string,
  sockets: Sockets,
  { status, finding }: Pick<ReencryptionPlan, "status" | "finding">,
): { readonly verified: boolean } | undefined {
  if (status !== undefined && finding?.status !== "Unknown") {
    return status.phase === "Complete" ? { verified: status.verified } : undefined;
  }
  return unsettled(sockets, kmsKeyId).length === 0 ? { verified: false } : undefined;
}

/** The sockets that serve the key, by name or through an alias. */
export function switchesOf(
  { metadata }: MasterKey,
  aliases: ReadonlySet<string>,
  keyServers: readonly KeyServer[],
): Switch[] {
  const name = `${metadata.namespace}/${metadata.name}`;
  return keyServers.flatMap(({ metadata: { name: node }, status }) =>
    (status?.providers ?? [])
      .filter(({ serves }) => serves === name || aliases.has(serves))
      .map((one) => switchOf(node, isShared(status) ? { ...one, settled: false } : one)),
  );
}

/** Of two machines with one nodeName the KeyServer tells of one at most: nothing is proven of the other. */
const isShared = (status: KeyServer["status"]): boolean =>
  conditionOf(status?.conditions, "Ready")?.reason === NODE_NAME_SHARED;

type ProviderStatus = NonNullable<NonNullable<KeyServer["status"]>["providers"]>[number];

function switchOf(node: string, one: ProviderStatus): Switch {
  const { name, kmsKeyId, encrypts = 0, entries, settled = false, resources = [] } = one;
  const { editNotTakenUp } = one;
  return {
    node,
    provider: name,
    encrypts,
    settled,
    resources,
    ...(kmsKeyId !== undefined && { kmsKeyId }),
    ...(entries !== undefined && { entries }),
    ...(editNotTakenUp !== undefined && { editNotTakenUp }),
  };
}
