import type { Kind, ResourceOf } from "../resources/resources.ts";
import type { FreshObjects } from "../store/roles.ts";
import type { View } from "../store/view.ts";

/** Reads past every cache in a store with these objects. */
export function freshObjects(objects: () => View): FreshObjects {
  return {
    fresh: async <K extends Kind>(kind: K) => {
      const { masterKeys, keyVersions, keyAliases, keyServers } = objects();
      const byKind: { readonly [Each in Kind]: readonly ResourceOf[Each][] } = {
        MasterKey: masterKeys,
        KeyVersion: keyVersions,
        KeyAlias: keyAliases,
        KeyGrant: [],
        KeyServer: keyServers,
      };
      return byKind[kind];
    },
  };
}
