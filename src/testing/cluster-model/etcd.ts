import type { KmsKeyId } from "../../crypto/ids.ts";
import type { KeyAlias, KeyServer, KeyVersion, MasterKey } from "../../resources/resources.ts";
import { keyAlias, keyServer, masterKey } from "../objects.ts";

/** The key_id and the provider under which an object is encrypted. */
export interface Used {
  /** Undefined for a plain object. */
  readonly kmsKeyId: KmsKeyId | undefined;
  readonly versionId: string;
  /** The provider that the API server needs to open it; undefined for a plain object. */
  readonly provider: string | undefined;
}

export const PLAIN: Used = { kmsKeyId: undefined, versionId: "", provider: undefined };

/** A rotation that has begun. */
export interface Begun {
  readonly key: string;
  readonly number: number;
  readonly token?: string;
}

/** The contents of a backup of etcd. Never changed, only replaced. */
export interface Etcd {
  readonly masterKeys: readonly MasterKey[];
  readonly versions: readonly KeyVersion[];
  readonly alias: KeyAlias | undefined;
  readonly reports: readonly KeyServer[];
  /** By "RESOURCE NAME". */
  readonly objects: ReadonlyMap<string, Used>;
  /** Not in any object: the model's own memory for its checks. */
  readonly begun: readonly Begun[];
}

export const NAMESPACE = "apps";
export const KEY_NAMES = ["secrets", "other"] as const;
const rotation = { enabled: true, periodInDays: 90, onDemandLimit: 1_000 };

export const freshMasterKey = (name: string): MasterKey =>
  masterKey({ metadata: { name }, spec: { rotation } });

/** Returns two MasterKeys and an alias of the first, all new. */
export const freshEtcd = (nodes: readonly string[]): Etcd => ({
  masterKeys: KEY_NAMES.map(freshMasterKey),
  versions: [],
  alias: keyAlias({}),
  reports: nodes.map((name) => keyServer(name)),
  objects: new Map(),
  begun: [],
});

export const withMasterKey = (etcd: Etcd, changed: MasterKey): Etcd => ({
  ...etcd,
  masterKeys: etcd.masterKeys.map((key) => (key.metadata.name === changed.metadata.name ? changed : key)),
});

export function withObject(etcd: Etcd, object: string, under: Used): Etcd {
  const before = etcd.objects.get(object);
  const same = before?.kmsKeyId === under.kmsKeyId && before?.provider === under.provider;
  return same && before !== undefined ? etcd : { ...etcd, objects: new Map(etcd.objects).set(object, under) };
}

export const resourceOf = (object: string): string => object.split(" ")[0] ?? "";

/** Returns the MasterKey of this name, which always exists. */
export function masterKeyOf({ masterKeys }: Etcd, name: string): MasterKey {
  const found = masterKeys.find(({ metadata }) => metadata.name === name);
  if (found === undefined) throw new Error(`no MasterKey ${name}`);
  return found;
}
