import type { NodeView } from "../nodes/node-view.ts";
import { describeNode } from "../nodes/waiting-nodes.ts";
import type { Blindness, Switch } from "./switches.ts";

/** A socket or node that has not shown yet what is waited for. */
export interface Awaited {
  readonly where: string;
  /** The reason why it does not pass by itself, a word for programs. */
  readonly reason?: string;
}

/**
 * Returns true if no API server can write through this socket under another key_id than `kmsKeyId` any more.
 * Re-encryption, retention and deletion all use this meaning of settled: four quiet minutes, in a report that
 * is not stale.
 */
export const isSettled = (one: Switch, nodes: readonly NodeView[], kmsKeyId: string | undefined): boolean =>
  one.kmsKeyId === kmsKeyId && one.settled && reportDoubt(one, nodes) === undefined;

export const placeText = ({ provider, node }: Switch): string => `${provider} on ${node}`;

/** Returns the same with a reason why nothing is proven about that socket. */
export const doubtAbout = (one: Switch, why: string, reason?: string): Awaited => ({
  where: `${placeText(one)} (${why})`,
  ...(reason !== undefined && { reason }),
});

/**
 * Returns why a socket's report may be stale, or about another file than the API server's. The gravest reason
 * comes first.
 */
export function reportDoubt(one: Switch, nodes: readonly NodeView[]): Awaited | undefined {
  const { provider, node, kmsKeyId, entries, episode, editNotTakenUp } = one;
  const silent = nodes.find(({ name, stale }) => name === node && stale);
  if (silent !== undefined)
    return { where: `${provider} on ${describeNode(silent)}`, reason: "NodeNotHeardOf" };
  if (one.blind !== undefined) return doubtAbout(one, BLIND[one.blind], one.blind);
  if (one.encryptionConfig === "NotLoaded") {
    const edit = editNotTakenUp === undefined ? NOT_LOADED : `${TAKE_UP} ${editNotTakenUp}`;
    return doubtAbout(one, `${edit}: ${REFUSED}`, "EncryptionConfigNotLoaded");
  }
  // No API server asks through a socket that no entry names, and so no Encrypt would show that it was
  // removed.
  if (entries !== 0 && editNotTakenUp !== undefined) return doubtAbout(one, takeUp(editNotTakenUp));
  if (kmsKeyId !== undefined && episode === undefined)
    return doubtAbout(one, OLDER_RELEASE, "NodeNotUpgraded");
  return undefined;
}

const LAST_WORD = "its operator fails, so that its report is an old one: its KeyServer says why";
const BLIND: Readonly<Record<Blindness, string>> = {
  PluginSilent: "no plugin answers there, so that nobody sees what its API server asks: start it",
  EncryptionConfigInvalid:
    "its EncryptionConfiguration cannot be read, so that nobody knows what its API server stores: its KeyServer says why",
  PassFailed: LAST_WORD,
  KeyringUnavailable: LAST_WORD,
  KeyringCorrupt: LAST_WORD,
};
const TAKE_UP = "to take up the EncryptionConfiguration of";
const takeUp = (edit: string): string => `${TAKE_UP} ${edit}: restart it`;
const NOT_LOADED = "its API server uses another EncryptionConfiguration than the file on the disk";
/** A restart with a file that the API server refuses would end it for good. */
const REFUSED =
  "the condition ApiServerInStep of its KeyServer says whether to restart it, or to mend the file first";
const OLDER_RELEASE =
  "its plugin or operator is of an older release, which reports no episode: upgrade it, and apply crds/ again";
