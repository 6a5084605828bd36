import { isDeepStrictEqual } from "node:util";
import { firstFew } from "../../resources/first-few.ts";
import type { ReencryptionStatus } from "../../resources/schemas/reencryption.ts";
import type { NodeView } from "../nodes/node-view.ts";
import { describeNode } from "../nodes/waiting-nodes.ts";
import { type Awaited, doubtAbout, isSettled, placeText, reportDoubt } from "./settled.ts";
import type { Switch } from "./switches.ts";

/** The basis of statements about stored data: the sockets that serve the key, on all nodes. */
export interface Sockets {
  readonly switches: readonly Switch[];
  /** All nodes. The sockets of a node that has not reported yet are not among the switches. */
  readonly nodes: readonly NodeView[];
  /** Identities of living API servers that no KeyServer reports. */
  readonly unclaimed?: readonly string[];
}

const NAMED = 5;

export const textOf = (awaited: readonly Awaited[]): string =>
  firstFew(
    awaited.map(({ where }) => where),
    2 * NAMED,
  );

/**
 * If several things are awaited, the first of these reasons is reported: it needs somebody, and the rest
 * passes by itself.
 */
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

/** Returns nodes whose API servers may write under any key_id, because they have not reported. */
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

/** Returns sockets whose API server may not encrypt under the key_id yet, and nodes that do not report. */
export const notSwitched = (sockets: Sockets, kmsKeyId: string): Awaited[] => [
  ...socketsWithout(sockets, (one) => hasSwitched(one, sockets.nodes, kmsKeyId)),
  ...silentNodes(sockets),
];

/** Returns sockets whose API server may still write under another key_id, and nodes that do not report. */
export const notSettled = (sockets: Sockets, kmsKeyId: string): Awaited[] => [
  ...socketsNotSettled(sockets, kmsKeyId),
  ...silentNodes(sockets),
];

export const socketsNotSettled = (sockets: Sockets, kmsKeyId: string): Awaited[] =>
  socketsWithout(sockets, (one) => isSettled(one, sockets.nodes, kmsKeyId));

const hasSwitched = (one: Switch, nodes: readonly NodeView[], kmsKeyId: string): boolean =>
  isSettled(one, nodes, kmsKeyId) ||
  (one.kmsKeyId === kmsKeyId && one.entries !== undefined && one.encrypts >= one.entries);

/**
 * Returns the stale nodes, because nobody knows what their API servers do now. Nodes whose sockets are
 * already listed are left out.
 */
function silentNodes({ switches, nodes }: Sockets): Awaited[] {
  const named = new Set(switches.map(({ node }) => node));
  const stale = nodes.filter((node) => node.stale && node.unreported !== true && !named.has(node.name));
  return [...stale.map(unheard), ...unreported({ nodes })];
}

/**
 * Returns API servers that ask no plugin and do not report the file that they use. An API server that was
 * started without its EncryptionConfiguration looks like this, and could not read the rewritten objects.
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

/** Returns why a socket's report proves nothing now, whatever it says. */
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

/**
 * Returns the present state of the sockets, in a fixed order, as the basis of a proof. Two states of a
 * socket without an episode can be equal, so `reportDoubt` refuses a proof that rests on such a socket.
 */
export function snapshotOf(switches: readonly Switch[]): Proof {
  return switches
    .map(({ node, provider, episode = "", encrypts }) => ({ node, provider, episode, encrypts }))
    .sort((a, b) => (placeOf(a) < placeOf(b) ? -1 : 1));
}

const placeOf = ({ node, provider }: Proof[number]): string => JSON.stringify([node, provider]);

export const sameSnapshot = (a: Proof | undefined, b: Proof): boolean => isDeepStrictEqual(a, b);
