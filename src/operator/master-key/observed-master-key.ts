import type { KeyId } from "../../crypto/ids.ts";
import type { ArnPrefixes } from "../../keys/arn.ts";
import type { KeyVersion, MasterKey } from "../../resources/resources.ts";
import type { NodeView } from "../nodes/node-view.ts";
import type { Switch } from "../reencryption/switches.ts";
import type { Work } from "../reencryption/work.ts";
import type { HeldKey } from "./adoption.ts";
import type { Room } from "./namespace-room.ts";

/** The facts about a MasterKey on which the leader decides. */
export interface ObservedMasterKey extends ArnPrefixes {
  readonly masterKey: MasterKey;
  /** All KeyVersions, of all keys. */
  readonly versions: readonly KeyVersion[];
  readonly nodes: readonly NodeView[];
  /**
   * The key under which the leader's own keyring encrypts for this name: its versions may be on their way
   * back.
   */
  readonly held?: HeldKey;
  /** Names of those of `versions` that the leader's own keyring does not have yet. */
  readonly unrecorded?: ReadonlySet<string>;
  /** The keyIds that this name has left in the leader's own keyring: it never goes back to them. */
  readonly left?: ReadonlySet<string>;
  /** The sockets that serve the key. */
  readonly switches: readonly Switch[];
  /** Identities of living API servers that no KeyServer reports. */
  readonly unclaimed?: readonly string[];
  /** The work on its stored objects. */
  readonly work: Work;
  /** True if this operator reaches stored objects, and if it can count the objects in etcd. */
  readonly reachable: boolean;
  readonly census: boolean;
  /** How often complete data are counted again, in milliseconds; an hour if left out. */
  readonly censusInterval?: number;
  /** The room that is left in the key's namespace. */
  readonly room: Room;
  /** Random, for a key that has no keyId yet. */
  readonly freshKeyId: KeyId;
  /** The time by which material expires, if that is not `now`. */
  readonly expiryNow?: Date | undefined;
}
