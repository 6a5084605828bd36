import type { Kind } from "./resources.ts";
import { keyAliasSpec, keyAliasStatus } from "./schemas/key-alias.ts";
import { keyGrantSpec, keyGrantStatus } from "./schemas/key-grant.ts";
import { keyServerStatus } from "./schemas/key-server.ts";
import { keyVersionSpec, keyVersionStatus } from "./schemas/key-version.ts";
import { masterKeySpec, masterKeyStatus } from "./schemas/master-key.ts";
import { keyIdNeverChanges } from "./schemas/ownership.ts";
import type * as s from "./schemas/schema.ts";

export interface PrinterColumn {
  readonly name: string;
  readonly type: "string" | "integer" | "date";
  readonly description: string;
  readonly jsonPath: string;
  readonly priority?: number;
}

export interface ResourceDefinition {
  readonly plural: string;
  readonly shortName: string;
  readonly namespaced: boolean;
  readonly description: string;
  readonly spec?: s.Schema<unknown>;
  readonly status: s.Schema<unknown>;
  /** Rules about the whole object. */
  readonly rules?: readonly s.Rule[];
  readonly columns: readonly PrinterColumn[];
}

const column = (
  name: string,
  jsonPath: string,
  description: string,
  options: { readonly type?: PrinterColumn["type"]; readonly priority?: number } = {},
): PrinterColumn => ({ name, type: options.type ?? "string", description, jsonPath, ...options });

const ready = column("Ready", '.status.conditions[?(@.type=="Ready")].status', "Whether it can be used");
const reason = column("Reason", '.status.conditions[?(@.type=="Ready")].reason', "Why, in a word");
const age = column("Age", ".metadata.creationTimestamp", "Time since creation", { type: "date" });

/** The resources by kind, as the CRDs declare them. */
export const resources: Readonly<Record<Kind, ResourceDefinition>> = {
  MasterKey: {
    plural: "masterkeys",
    shortName: "mk",
    namespaced: true,
    description: "A master key, as in AWS KMS: its versions wrap data keys and never leave claviger.",
    spec: masterKeySpec,
    status: masterKeyStatus,
    rules: [keyIdNeverChanges],
    columns: [
      column("State", ".status.keyState", "AWS KMS's key state"),
      column("Version", ".status.currentVersion.number", "The version that encrypts", { type: "integer" }),
      column("Key_ID", ".status.currentVersion.kmsKeyId", "Its KMS v2 key_id"),
      ready,
      reason,
      column("Next_Rotation", ".status.rotation.nextRotationTime", "When it rotates next"),
      column("Data", ".status.reencryption.phase", "How far stored data has followed the current version"),
      column("Spec", ".spec.keySpec", "The kind of key material", { priority: 1 }),
      column("KeyId", ".status.keyId", "The key's own id", { priority: 1 }),
      age,
    ],
  },
  KeyVersion: {
    plural: "keyversions",
    shortName: "kv",
    namespaced: false,
    description: "One version of a MasterKey: its sealed material. Written by claviger only.",
    spec: keyVersionSpec,
    status: keyVersionStatus,
    columns: [
      column("Namespace", ".spec.masterKey.namespace", "The MasterKey's namespace"),
      column("MasterKey", ".spec.masterKey.name", "The MasterKey's name"),
      column("Version", ".spec.number", "The version's number", { type: "integer" }),
      column("State", ".status.state", "Pending, Current, Retired or Destroyed"),
      column("Key_ID", ".status.kmsKeyId", "Its KMS v2 key_id"),
      age,
    ],
  },
  KeyAlias: {
    plural: "keyaliases",
    shortName: "ka",
    namespaced: true,
    description: "A name for a MasterKey, which can be pointed to another one.",
    spec: keyAliasSpec,
    status: keyAliasStatus,
    columns: [
      column("MasterKey", ".spec.masterKey", "The MasterKey that it should point to"),
      column("Serves", ".status.masterKey", "The MasterKey that it points to on the nodes"),
      ready,
      reason,
      age,
    ],
  },
  KeyGrant: {
    plural: "keygrants",
    shortName: "kg",
    namespaced: true,
    description:
      "A grant, as in AWS KMS: lets one principal do some operations with a MasterKey of the same namespace.",
    spec: keyGrantSpec,
    status: keyGrantStatus,
    columns: [
      column("MasterKey", ".spec.masterKey", "The MasterKey that it is about"),
      column("Grantee", ".spec.granteePrincipal", "The principal that may use it"),
      column("Phase", ".status.phase", "Active, Retired, Revoked or Expired"),
      column("Expires", ".spec.expiresAt", "When it ends by itself"),
      column("LastUsed", ".status.lastUsed", "When it allowed a request last", { type: "date" }),
      ready,
      reason,
      column("Operations", ".spec.operations", "What it allows", { priority: 1 }),
      column("Uses", ".status.uses", "How many requests it has allowed", { type: "integer", priority: 1 }),
      column("GrantId", ".status.grantId", "Its id in the AWS-compatible API", { priority: 1 }),
      age,
    ],
  },
  KeyServer: {
    plural: "keyservers",
    shortName: "ks",
    namespaced: false,
    description: "One node's keyring and KMS v2 sockets, reported by that node.",
    status: keyServerStatus,
    columns: [
      column("Serving", ".status.serving", "Which provider serves which version"),
      column("Versions", ".status.versions", "Versions in the keyring", { type: "integer" }),
      column("RootKey", ".status.seal.rootKeyId", "The node's root key", { priority: 1 }),
      ready,
      reason,
      age,
    ],
  },
};
