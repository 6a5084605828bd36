import { conditionOf } from "../../resources/conditions.ts";
import type { KeyServer, MasterKey } from "../../resources/resources.ts";
import type { KeyServerStatus } from "../../resources/schemas/key-server.ts";
import type { Scope } from "../../storage/scope.ts";
import { NODE_NAME_SHARED } from "../../store/nodes/name-watch.ts";

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
  /** What its API server can read under the provider, if the node reports it. */
  readonly reads?: Scope;
  /** Equal if API servers write the same resources under the same provider names. */
  readonly namesHash?: string;
  /** The edit of the EncryptionConfiguration that the API server does not go by yet. */
  readonly editNotTakenUp?: string;
  /** Names the unbroken time in which the socket served this key_id; absent in the report of an older release. */
  readonly episode?: string;
  /** When its API server last asked Status, if that is three minutes ago or more. */
  readonly notAskedSince?: string;
  /** Why the node's report of it may be old: no plugin answers, say, or the EncryptionConfiguration cannot be read. */
  readonly blind?: Blindness;
  /** Which EncryptionConfiguration the node's API server goes by, if it tells. */
  readonly encryptionConfig?: NonNullable<NonNullable<KeyServerStatus["apiServer"]>["encryptionConfig"]>;
}

const BLINDNESSES = [
  "PluginSilent",
  "EncryptionConfigInvalid",
  "PassFailed",
  "KeyringUnavailable",
  "KeyringCorrupt",
] as const;
/** Reasons of a KeyServer with which what it reports of its sockets is the last that it knew. */
export type Blindness = (typeof BLINDNESSES)[number];

/** The sockets that serve the key, by name or through an alias. */
export function switchesOf(
  { metadata }: MasterKey,
  aliases: ReadonlySet<string>,
  keyServers: readonly KeyServer[],
): Switch[] {
  const name = `${metadata.namespace}/${metadata.name}`;
  return socketsOf(keyServers, ({ serves }) => serves === name || aliases.has(serves));
}

export type ProviderStatus = NonNullable<KeyServerStatus["providers"]>[number];

/** What the sockets of all nodes show that are asked for, with what makes a node's report doubtful. */
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

/** Of two machines with one nodeName the KeyServer tells of one at most: nothing is proven of the other. */
const isShared = (status: KeyServer["status"]): boolean =>
  conditionOf(status?.conditions, "Ready")?.reason === NODE_NAME_SHARED;

/** Ready has the gravest reason only, so that ApiServerInStep may have another one. */
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
