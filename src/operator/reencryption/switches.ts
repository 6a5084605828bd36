import { conditionOf } from "../../resources/conditions.ts";
import type { KeyServer, MasterKey } from "../../resources/resources.ts";
import type { KeyServerStatus } from "../../resources/schemas/key-server.ts";
import type { Scope } from "../../storage/scope.ts";
import { NODE_NAME_SHARED } from "../../store/nodes/name-watch.ts";

/** A KMS v2 socket that serves the key, and what it has shown of its API server. */
export interface Switch {
  readonly node: string;
  readonly provider: string;
  readonly kmsKeyId?: string;
  /**
   * The number of Encrypts under kmsKeyId, and the number that proves that every entry has switched. Without
   * `entries` the latter is not known.
   */
  readonly encrypts: number;
  readonly entries?: number;
  readonly settled: boolean;
  readonly resources: Scope;
  /** The resources that its API server can read under the provider, if the node reports them. */
  readonly reads?: Scope;
  /** Equal if API servers write the same resources under the same provider names. */
  readonly namesHash?: string;
  /** The edit of the EncryptionConfiguration that the API server has not loaded yet. */
  readonly editNotTakenUp?: string;
  /** Names the unbroken time in which the socket served this key_id; absent in the report of an older release. */
  readonly episode?: string;
  /** When its API server last asked for Status, if that is three minutes ago or more. */
  readonly notAskedSince?: string;
  /**
   * The reason why the node's report may be stale: no plugin answers, for example, or the
   * EncryptionConfiguration cannot be read.
   */
  readonly blind?: Blindness;
  /** The EncryptionConfiguration that the node's API server uses, if it reports it. */
  readonly encryptionConfig?: NonNullable<NonNullable<KeyServerStatus["apiServer"]>["encryptionConfig"]>;
}

const BLINDNESSES = [
  "PluginSilent",
  "EncryptionConfigInvalid",
  "PassFailed",
  "KeyringUnavailable",
  "KeyringCorrupt",
] as const;
/** Reasons of a KeyServer under which its report about its sockets is only the last that it knew. */
export type Blindness = (typeof BLINDNESSES)[number];

/** Returns the sockets that serve the key, by name or through an alias. */
export function switchesOf(
  { metadata }: MasterKey,
  aliases: ReadonlySet<string>,
  keyServers: readonly KeyServer[],
): Switch[] {
  const name = `${metadata.namespace}/${metadata.name}`;
  return socketsOf(keyServers, ({ serves }) => serves === name || aliases.has(serves));
}

export type ProviderStatus = NonNullable<KeyServerStatus["providers"]>[number];

/** Returns the selected sockets of all nodes, with the reasons that make a node's report doubtful. */
export const socketsOf = (
  keyServers: readonly KeyServer[],
  isAskedFor: (provider: ProviderStatus) => boolean,
): Switch[] =>
  keyServers.flatMap(({ metadata: { name: node }, status }) =>
    (status?.providers ?? []).filter(isAskedFor).map((one) => ({
      ...switchOf(node, isShared(status) ? { ...one, settled: false } : one, status?.apiServer),
      ...blindnessOf(status),
    })),
  );

/**
 * If two machines have the same nodeName, the KeyServer describes at most one of them, and nothing is proven
 * about the other.
 */
const isShared = (status: KeyServer["status"]): boolean =>
  conditionOf(status?.conditions, "Ready")?.reason === NODE_NAME_SHARED;

/** Ready has only the gravest reason, so ApiServerInStep may have another. */
function blindnessOf(status: KeyServer["status"]): Pick<Switch, "blind"> {
  const reasons = ["Ready", "ApiServerInStep"].map((type) => conditionOf(status?.conditions, type)?.reason);
  const blind = BLINDNESSES.find((known) => reasons.includes(known));
  return blind === undefined ? {} : { blind };
}

function switchOf(node: string, one: ProviderStatus, apiServer: KeyServerStatus["apiServer"]): Switch {
  const { name, kmsKeyId, encrypts = 0, entries, settled = false, resources = [], reads } = one;
  const { namesHash, editNotTakenUp, episode, notAskedSince } = one;
  const encryptionConfig = apiServer?.encryptionConfig;
  return {
    node,
    provider: name,
    encrypts,
    settled,
    resources,
    ...(kmsKeyId !== undefined && { kmsKeyId }),
    ...(entries !== undefined && { entries }),
    ...(reads !== undefined && { reads }),
    ...(namesHash !== undefined && { namesHash }),
    ...(editNotTakenUp !== undefined && { editNotTakenUp }),
    ...(episode !== undefined && { episode }),
    ...(notAskedSince !== undefined && { notAskedSince }),
    ...(encryptionConfig !== undefined && { encryptionConfig }),
  };
}
