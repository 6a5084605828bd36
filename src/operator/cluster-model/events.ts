/** What can happen to a cluster, for the property test of the decisions. */
export type Event =
  /** The leader decides and applies, for everything there is. */
  | { readonly kind: "lead" }
  /** The leader makes a version and dies before it writes the status. */
  | { readonly kind: "leadAndCrash"; readonly key: number }
  /** A leader decides and is slow; "act" applies that plan if nobody was faster. */
  | { readonly kind: "think"; readonly key: number }
  | { readonly kind: "act" }
  /** A node stores, hands back and reports; or dies after storing. */
  | { readonly kind: "sync" | "syncAndCrash"; readonly node: number }
  /** A node's operator does not reach the API server; plugin and API server of the node go on. */
  | { readonly kind: "fallSilent" | "comeBack"; readonly node: number }
  | { readonly kind: "restartPlugin" | "restartApiServer"; readonly node: number }
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
  /** What works on stored objects gets on, through the API server of a node; or fails as a whole; or its process ends. */
  | { readonly kind: "work"; readonly node: number; readonly objects: number }
  | { readonly kind: "workFails" | "leaderRestarts" }
  | { readonly kind: "pass"; readonly seconds: number }
  /** A new requestToken; spec.enabled; the MasterKey is deleted and made again. */
  | { readonly kind: "rotate" | "disable" | "enable" | "recreate"; readonly key: number }
  /** spec.deletion is set, or taken out; spec.retention destroys from now on. */
  | { readonly kind: "delete" | "cancel" | "retain"; readonly key: number }
  /** The alias's spec names another key, and the alias is made if it is not there. */
  | { readonly kind: "retarget"; readonly key: number }
  | { readonly kind: "deleteAlias" }
  /** etcd is backed up, or put back to the last backup. */
  | { readonly kind: "backup" | "restore" }
  /** The KeyVersions are deleted. */
  | { readonly kind: "loseVersions" }
  /** All that can do something does it once, and a minute passes; or all but the API servers, in five seconds; or only they. */
  | { readonly kind: "everybody" | "operators" | "apiServers" };

export type Kind = Event["kind"];
