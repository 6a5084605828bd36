import type { FileName } from "./files.ts";

/** An event in a cluster, for the property test of the decisions. */
export type Event =
  /** The leader decides and applies, for all objects. */
  | { readonly kind: "lead" }
  /** The leader creates a version and dies before it writes the status. */
  | { readonly kind: "leadAndCrash"; readonly key: number }
  /** A leader decides and is slow; "act" applies that plan if nobody was faster. */
  | { readonly kind: "think"; readonly key: number }
  | { readonly kind: "act" }
  /** A node stores, hands back and reports; or dies after storing. */
  | { readonly kind: "sync" | "syncAndCrash"; readonly node: number }
  /** The same, with the observations that its plugin had written at the operator's look before. */
  | { readonly kind: "syncLate"; readonly node: number }
  /** A node's operator does not reach the API server. The plugin and the API server of the node continue. */
  | { readonly kind: "fallSilent" | "comeBack"; readonly node: number }
  | { readonly kind: "restartPlugin" | "killPlugin" | "restartApiServer"; readonly node: number }
  /**
   * A node's EncryptionConfiguration is edited; its API server reloads it, or tries it and drops it; or is
   * started without one.
   */
  | { readonly kind: "edit"; readonly node: number; readonly file: FileName }
  | { readonly kind: "reload" | "probe" | "restartWithoutFlag"; readonly node: number }
  /** Every node's file is edited and loaded, one node after the other. */
  | { readonly kind: "roll"; readonly file: FileName }
  /** An image of a node's disk is taken; the node comes back from it. */
  | { readonly kind: "takeImage" | "comeBackFromImage"; readonly node: number }
  /**
   * A node's KeyServer is deleted; somebody with the node's kubeconfig writes false reports, until they are
   * found out.
   */
  | { readonly kind: "deleteReport" | "lie" | "endLie"; readonly node: number }
  /** The leader's watches deliver nothing, and do not end for a while. */
  | { readonly kind: "freeze" }
  /** An entry of an API server's configuration asks for the key_id, and switches or fails to. */
  | { readonly kind: "poll" | "pollInVain"; readonly node: number; readonly entry: number }
  /** An object is written through an entry; late: by a request that began before the entry switched. */
  | {
      readonly kind: "write";
      readonly node: number;
      readonly entry: number;
      readonly object: number;
      readonly late: boolean;
    }
  /**
   * The work on stored objects continues through the API server of a node; or fails as a whole; or its
   * process ends.
   */
  | { readonly kind: "work"; readonly node: number; readonly objects: number }
  | { readonly kind: "workFails" | "leaderRestarts" }
  | { readonly kind: "pass"; readonly seconds: number }
  /** The same time passes, and API servers ask for Status every minute meanwhile. */
  | { readonly kind: "idle"; readonly seconds: number }
  /** An object cannot be written, because a webhook refuses it for example; or can be written again. */
  | { readonly kind: "refuse" | "allow"; readonly entry: number; readonly object: number }
  /** A new requestToken; spec.enabled; the MasterKey is deleted and created again. */
  | { readonly kind: "rotate" | "disable" | "enable" | "recreate"; readonly key: number }
  /** spec.deletion is set, or removed; spec.retention destroys from now on. */
  | { readonly kind: "delete" | "cancel" | "retain"; readonly key: number }
  /** The alias's spec names another key, and the alias is created if it does not exist. */
  | { readonly kind: "retarget"; readonly key: number }
  | { readonly kind: "deleteAlias" }
  /** etcd is backed up, or restored from the last backup. */
  | { readonly kind: "backup" | "restore" }
  /** The KeyVersions are deleted. */
  | { readonly kind: "loseVersions" }
  /**
   * Everybody acts once, and a minute passes; or everybody but the API servers, in five seconds; or only the
   * API servers.
   */
  | { readonly kind: "everybody" | "operators" | "apiServers" };

export type Kind = Event["kind"];
