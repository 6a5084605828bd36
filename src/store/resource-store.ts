import type { Events } from "./events.ts";
import type {
  ClusterNodes,
  FinalizerWrites,
  Following,
  FreshObjects,
  GrantReviews,
  KeyGrantRemoval,
  KeyGrants,
  KeyVersionLookup,
  Leadership,
  NodeRecordWrites,
  OtherClocks,
  OwnApiServer,
  OwnReport,
  Resources,
  StatusWrites,
  StoredData,
  VersionWrites,
} from "./roles.ts";

/**
 * All roles of a store of custom resources: an API server (kube/kube-store.ts), or a folder of
 * manifests with the rest in the keyring's file (manifests/manifest-store.ts).
 */
export interface ResourceStore
  extends Resources,
    Following,
    FreshObjects,
    KeyVersionLookup,
    Leadership,
    StatusWrites,
    FinalizerWrites,
    VersionWrites,
    OwnReport,
    ClusterNodes,
    NodeRecordWrites,
    Events,
    KeyGrants,
    GrantReviews,
    KeyGrantRemoval,
    OtherClocks,
    OwnApiServer,
    StoredData {}
