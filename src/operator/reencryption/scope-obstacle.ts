import { firstFew } from "../../resources/first-few.ts";
import type { ReencryptionStatus } from "../../resources/schemas/reencryption.ts";
import { MOST_PROVEN_SOCKETS } from "../../resources/schemas/reencryption.ts";
import { inScope, mergeScopes, type Scope, sameScope } from "../../storage/scope.ts";
import { parseGroupResource } from "../../storage/served/group-resource.ts";
import type { Obstacle } from "../retirement/usage-census.ts";
import { notSettled, type Sockets, sameSnapshot, snapshotOf } from "./ground.ts";
import type { Switch } from "./switches.ts";

const NAMED = 5;

interface NodeScope {
  readonly node: string;
  /** Undefined if the node does not know its API server's EncryptionConfiguration. */
  readonly scope: Scope | undefined;
  readonly switches: readonly Switch[];
}

/**
 * Returns the resources that each reporting node stores under the key; none if no socket of the node serves
 * the key.
 */
function nodeScopes({ switches, nodes }: Sockets): NodeScope[] {
  const reported = nodes.filter((node) => node.unreported !== true).map(({ name }) => name);
  const names = [...new Set([...reported, ...switches.map(({ node }) => node)])].sort();
  return names.map((node) => {
    const own = switches.filter((one) => one.node === node);
    const isKnown = own.every(({ entries }) => entries !== undefined);
    return {
      node,
      scope: isKnown ? mergeScopes(own.map(({ resources }) => resources)) : undefined,
      switches: own,
    };
  });
}

/**
 * Returns why one API server may not be able to read another's writes, or why these are not known. Then
 * nothing is rewritten, and nothing is proven. Each node by itself must store the same resources under the
 * key.
 */
export function scopeObstacle(sockets: Sockets): Obstacle | undefined {
  if (sockets.switches.length > MOST_PROVEN_SOCKETS) return TOO_MANY_SOCKETS;
  if ((sockets.unclaimed?.length ?? 0) > 0) return withoutNode(sockets.unclaimed ?? []);
  const all = nodeScopes(sockets);
  const merged = mergeScopes(all.map(({ scope }) => scope ?? []));
  const unknown = all.filter(({ scope }) => scope === undefined);
  const differing = all.filter(({ scope }) => scope !== undefined && !sameScope(scope, merged));
  if (differing.length > 0) return nodesDiffer(differing, merged);
  if (unknown.length === 0) return namesDiffer(all);
  const names = firstFew(
    unknown.map(({ node }) => node),
    NAMED,
  );
  return {
    reason: "EncryptionConfigUnknown",
    message: `${unknownText(names)}; no stored object is re-encrypted until then`,
  };
}

const TOO_MANY_SOCKETS: Obstacle = {
  reason: "TooManySockets",
  message: `more than ${MOST_PROVEN_SOCKETS} sockets serve this key, and no proof could name them all: give some nodes' providers another key`,
};

const withoutNode = (apiServers: readonly string[]): Obstacle => ({
  reason: "ApiServerWithoutNode",
  message: `no KeyServer reports API server ${firstFew(apiServers, NAMED)}, whose Lease in kube-system is still renewed: it has no claviger, so it stores everything plain and cannot read what the other API servers store under this key. Install claviger on its node and give it the EncryptionConfiguration, or stop it; no stored object is re-encrypted until then`,
});

/** Says what to do about nodes that do not know which resources their API servers store. */
export const unknownText = (nodes: string): string =>
  `what is stored under this key is not known: set encryptionConfig in the configuration of ${nodes} to the file of the API server's --encryption-provider-config, and restart the operator there; where it is set, the KeyServer says why it cannot be read`;

function nodesDiffer(differing: readonly NodeScope[], merged: Scope): Obstacle {
  const isOff = differing.some((one) => isNotConfigured(one));
  const reason = isOff ? "EncryptionConfigNotConfigured" : "NodesDiffer";
  const texts = differing.map((one) => lackText(one, merged));
  const message = `${firstFew(texts, NAMED)}; make the same edit on every node, one after the other, or undo it: nothing is written again while API servers differ`;
  return { reason, message };
}

/** With other provider names, an API server cannot find the provider for another's writes. */
function namesDiffer(all: readonly NodeScope[]): Obstacle | undefined {
  const known = all.filter(({ switches }) => switches.some(({ namesHash }) => namesHash !== undefined));
  if (new Set(known.map(namesText)).size <= 1) return undefined;
  const names = firstFew(
    known.map(({ node }) => node),
    NAMED,
  );
  const message = `the EncryptionConfigurations of ${names} store the same resources under this key by kms providers of different names: etcd has the name in front of each value, so that an API server cannot read what another one writes; give each entry the same name on every node, and keep the former name as a further provider until all is written again: nothing is written again while they differ`;
  return { reason: "NodesDiffer", message };
}

const namesText = ({ switches }: NodeScope): string =>
  JSON.stringify(switches.flatMap(({ namesHash }) => namesHash ?? []).sort());

const isNotConfigured = ({ switches }: NodeScope): boolean =>
  switches.some(({ encryptionConfig }) => encryptionConfig === "NotConfigured");

function lackText(one: NodeScope, merged: Scope): string {
  const lacking = lackingIn(one.scope ?? [], merged);
  const what = lacking.length === 0 ? "some resources" : firstFew(lacking, NAMED);
  if (isNotConfigured(one)) {
    return `the API server of ${one.node} was started without --encryption-provider-config: it stores ${what} plain, and cannot read what the others store under this key: give it the flag again`;
  }
  if (one.switches.length === 0) {
    return `${one.node} has no provider that serves this key, and other nodes store ${what} under it (a node without API server needs no claviger: take it out there, and delete its KeyServer and Lease)`;
  }
  return `the EncryptionConfiguration of ${one.node} does not store ${what} under this key, as other nodes do${readsText(one, lacking)}`;
}

/** Says if an API server can at least read what the others write under the key. */
function readsText({ switches }: NodeScope, lacking: readonly string[]): string {
  if (switches.some(({ reads }) => reads === undefined)) return "";
  const reads = switches.flatMap(({ reads = [] }) => reads);
  const blind = lacking.filter((pattern) => !inScope(reads, parseGroupResource(pattern)));
  return blind.length === 0
    ? ", and can read them"
    : `, and cannot read ${firstFew(blind, NAMED)} that they write`;
}

/** Returns the patterns of the merged scope that a node stores in another way. */
const lackingIn = (scope: Scope, merged: Scope): string[] =>
  merged.filter((pattern) => !pattern.startsWith("!") && !inScope(scope, parseGroupResource(pattern)));

/** Returns the nodes whose API servers were started without an EncryptionConfiguration. */
export const withoutFlag = (switches: readonly Switch[]): string[] => [
  ...new Set(
    switches.filter(({ encryptionConfig }) => encryptionConfig === "NotConfigured").map(({ node }) => node),
  ),
];

/**
 * Returns true if Complete still holds: each node by itself, and each socket in the same state as when that
 * was decided.
 */
export function proofHolds({ proof, kmsKeyId }: ReencryptionStatus, sockets: Sockets): boolean {
  return (
    sameSnapshot(proof, snapshotOf(sockets.switches)) &&
    scopeObstacle(sockets) === undefined &&
    notSettled(sockets, kmsKeyId).length === 0
  );
}
