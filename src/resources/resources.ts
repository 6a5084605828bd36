import type { KeyAliasSpec, KeyAliasStatus } from "./schemas/key-alias.ts";
import type { KeyGrantSpec, KeyGrantStatus } from "./schemas/key-grant.ts";
import type { KeyServerStatus } from "./schemas/key-server.ts";
import type { KeyVersionSpec, KeyVersionStatus } from "./schemas/key-version.ts";
import type { MasterKeySpec, MasterKeyStatus } from "./schemas/master-key.ts";

export const GROUP = "kms.claviger.dev";
export const VERSION = "v1alpha1";
export const API_VERSION = `${GROUP}/${VERSION}` as const;

/** The part of Kubernetes' ObjectMeta that claviger uses. */
export interface ObjectMeta {
  readonly name: string;
  readonly namespace?: string;
  readonly uid: string;
  readonly resourceVersion: string;
  readonly generation: number;
  readonly creationTimestamp: string;
  readonly deletionTimestamp?: string;
  readonly finalizers?: readonly string[];
}

interface Resource<Kind extends string> {
  readonly apiVersion: typeof API_VERSION;
  readonly kind: Kind;
  readonly metadata: ObjectMeta;
}

export interface MasterKey extends Resource<"MasterKey"> {
  readonly spec: MasterKeySpec;
  readonly status?: MasterKeyStatus;
}
export interface KeyVersion extends Resource<"KeyVersion"> {
  readonly spec: KeyVersionSpec;
  readonly status?: KeyVersionStatus;
}
export interface KeyAlias extends Resource<"KeyAlias"> {
  readonly spec: KeyAliasSpec;
  readonly status?: KeyAliasStatus;
}
export interface KeyGrant extends Resource<"KeyGrant"> {
  readonly spec: KeyGrantSpec;
  readonly status?: KeyGrantStatus;
}
export interface KeyServer extends Resource<"KeyServer"> {
  readonly status?: KeyServerStatus;
}

/** Maps each kind to its object type. */
export interface ResourceOf {
  readonly MasterKey: MasterKey;
  readonly KeyVersion: KeyVersion;
  readonly KeyAlias: KeyAlias;
  readonly KeyGrant: KeyGrant;
  readonly KeyServer: KeyServer;
}
export type Kind = keyof ResourceOf;
export type AnyResource = ResourceOf[Kind];
