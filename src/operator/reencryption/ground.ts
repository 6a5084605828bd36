import { isDeepStrictEqual } from "node:util";
import { firstFew } from "../../resources/first-few.ts";
import type { ReencryptionStatus } from "../../resources/schemas/reencryption.ts";
import type { NodeView } from "../nodes/node-view.ts";
import { describeNode } from "../nodes/waiting-nodes.ts";
import { type Awaited, doubtAbout, isSettled, placeText, reportDoubt } from "./settled.ts";
import type { Switch } from "./switches.ts";

/** What statements about stored data rest on: the sockets that serve the key, on all nodes. */
export interface Sockets {
  readonly switches: readonly Switch[];
  /** All nodes: the sockets of one that has not reported yet are not among the switches. */
  readonly nodes: readonly NodeView[];
  /** Living API servers of which no KeyServer tells, by their identity. */
  readonly unclaimed?: readonly string[];
}

const NAMED = 5;

export const textOf = (awaited: readonly Awaited[]): string =>
  firstFew(
    awaited.map(({ where }) => where),
    2 * NAMED,
  );

/** The first of these that something waits for is the reason: it needs somebody, and the rest passes by itself. */
export const GRAVEST = [
  "NodeNotHeardOf",
  "PluginSilent",
  "EncryptionConfigInvalid",
  "PassFailed",
  "KeyringUnavailable",
  "KeyringCorrupt",
  "EncryptionConfigNotLoaded",
  "ApiServerSilent",
  "NodeNotUpgraded",
] as const;

export const reasonOf = (awaited: readonly Awaited[], otherwise: string): string =>
  GRAVEST.find((grave) => awaited.some(({ reason }) => reason === grave)) ?? otherwise;

/** Nodes whose API servers may write under any key_id, for all that they have said. */
export function unreported({ nodes }: Pick<Sockets, "nodes">): Awaited[] {
  if (nodes.length === 0) return [{ where: "the nodes (none has reported yet what it serves)" }];
  return nodes
    .filter((node) => node.unreported === true)
    .map((node) =>
      node.stale
        ? unheard(node)
        : { where: `${node.name} (its operator has not reported yet what it serves)` },
    );
}

const unheard = (node: NodeView): Awaited => ({ where: describeNode(node), reason: "NodeNotHeardOf" });

/** Sockets behind which an API server may not encrypt under the key_id yet, and nodes that do not tell. */
export const notSwitched = (sockets: Sockets, kmsKeyId: string): Awaited[] => [
  ...socketsWithout(sockets, (one) => hasSwitched(one, sockets.nodes, kmsKeyId)),
  ...silentNodes(sockets),
];

/** Sockets behind which an API server may still write under another key_id, and nodes that do not tell. */
export const notSettled = (sockets: Sockets, kmsKeyId: string): Awaited[] => [
  ...socketsNotSettled(sockets, kmsKeyId),
  ...silentNodes(sockets),
];

export const socketsNotSettled = (sockets: Sockets, kmsKeyId: string): Awaited[] =>
  socketsWithout(sockets, (one) => isSettled(one, sockets.nodes, kmsKeyId));

const hasSwitched = (one: Switch, nodes: readonly NodeView[], kmsKeyId: string): boolean =>
  isSettled(one, nodes, kmsKeyId) ||
  (one.kmsKeyId === kmsKeyId && one.entries !== undefined && one.encrypts >= one.entries);

/** Stale ones among them: what their API servers do now nobody tells. Those whose sockets are named already are left out. */
function silentNodes({ switches, nodes }: Sockets): Awaited[] {
  const named = new Set(switches.map(({ node }) => node));
  const stale = nodes.filter((node) => node.stale && node.unreported !== true && !named.has(node.name));
  return [...stale.map(unheard), ...unreported({ nodes })];
}

/**
 * API servers that ask nobody and do not tell which file they go by: one that was started without its
 * EncryptionConfiguration looks like that, and could not read what is written again.
 */
export const unaccountedFor = ({ switches }: Sockets): Awaited[] =>
  switches
    .filter(({ encryptionConfig = "Unknown" }) => encryptionConfig === "Unknown")
    .flatMap((one) => silence(one) ?? []);

function socketsWithout(sockets: Sockets, hasShown: (one: Switch) => boolean): Awaited[] {
  return sockets.switches.flatMap((one) => {
    const doubt = doubtOf(one, sockets);
    if (doubt !== undefined) return [doubt];
    return hasShown(one) ? [] : [{ where: placeText(one) }];
  });
}

/** Why a socket's report proves nothing now, whatever it says. */
const doubtOf = (one: Switch, { nodes }: Sockets): Awaited | undefined =>
  reportDoubt(one, nodes) ?? silence(one);

function silence(one: Switch): Awaited | undefined {
  const { entries, notAskedSince } = one;
  return entries !== 0 && notAskedSince !== undefined
    ? doubtAbout(one, `${notAsked(notAskedSince)}: ${SILENT_REMEDY}`, "ApiServerSilent")
    : undefined;
}

const notAsked = (since: string): string => `its API server has not asked Status since ${since}`;
const SILENT_REMEDY = "start it, and see that its EncryptionConfiguration names this socket";

export type Proof = NonNullable<ReencryptionStatus["proof"]>;

/** The sockets as they are now, in one order: what a proof rests on. Without an episode, no socket equals another look at it. */
export function snapshotOf(switches: readonly Switch[]): Proof {
  return switches
    .map(({ node, provider, episode = "", encrypts }) => ({ node, provider, episode, encrypts }))
    .sort((a, b) => (placeOf(a) < placeOf(b) ? -1 : 1));
}

const placeOf = ({ node, provider }: Proof[number]): string => JSON.stringify([node, provider]);

export const sameSnapshot = (a: Proof | undefined, b: Proof): boolean => isDeepStrictEqual(a, b);
