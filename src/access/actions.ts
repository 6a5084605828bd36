import { GRANT_OPERATIONS, type GrantOperation } from "../keyring/grant-row.ts";

/** A permission of AWS KMS. */
interface ActionRow {
  /** The verb that RBAC must allow on `masterkeys` in the group kms.claviger.dev. */
  readonly verb: string;
  /** The object of the verb: the MasterKey by its name, or `masterkeys` of the caller's namespace. */
  readonly on: "key" | "namespace";
}

const key = (verb: string) => ({ verb, on: "key" }) as const;
const namespace = (verb: string) => ({ verb, on: "namespace" }) as const;

/** A table has no prototype: a name such as "constructor" finds no row. */
const table = <const T extends object>(rows: T): T => Object.freeze(Object.setPrototypeOf(rows, null));

/**
 * AWS KMS's permissions, each with its verb. An operation needs the permission of its name; ReEncrypt needs
 * ReEncryptFrom and ReEncryptTo.
 */
export const actions = table({
  CancelKeyDeletion: key("cancel-key-deletion"),
  CreateAlias: key("create-alias"),
  CreateGrant: key("grant"),
  CreateKey: namespace("create-key"),
  Decapsulate: key("decapsulate"),
  Decrypt: key("decrypt"),
  DeleteAlias: key("delete-alias"),
  DeleteImportedKeyMaterial: key("delete-imported-key-material"),
  DeriveSharedSecret: key("derive-shared-secret"),
  DescribeKey: key("describe-key"),
  DisableKey: key("disable-key"),
  DisableKeyRotation: key("disable-key-rotation"),
  EnableKey: key("enable-key"),
  EnableKeyRotation: key("enable-key-rotation"),
  Encapsulate: key("encapsulate"),
  Encrypt: key("encrypt"),
  GenerateDataKey: key("generate-data-key"),
  GenerateDataKeyPair: key("generate-data-key-pair"),
  GenerateDataKeyPairWithoutPlaintext: key("generate-data-key-pair-without-plaintext"),
  GenerateDataKeyWithoutPlaintext: key("generate-data-key-without-plaintext"),
  GenerateMac: key("generate-mac"),
  GenerateRandom: namespace("generate-random"),
  GetKeyLastUsage: key("get-key-last-usage"),
  GetKeyPolicy: key("get-key-policy"),
  GetKeyRotationStatus: key("get-key-rotation-status"),
  GetParametersForImport: key("get-parameters-for-import"),
  GetPublicKey: key("get-public-key"),
  ImportKeyMaterial: key("import-key-material"),
  ListAliases: namespace("list-aliases"),
  ListGrants: key("list-grants"),
  ListKeyPolicies: key("list-key-policies"),
  ListKeyRotations: key("list-key-rotations"),
  ListKeys: namespace("list-keys"),
  ListResourceTags: key("list-resource-tags"),
  ListRetirableGrants: namespace("list-retirable-grants"),
  PutKeyPolicy: key("put-key-policy"),
  ReEncryptFrom: key("re-encrypt-from"),
  ReEncryptTo: key("re-encrypt-to"),
  RetireGrant: key("retire-grant"),
  RevokeGrant: key("revoke-grant"),
  RotateKeyOnDemand: key("rotate-key-on-demand"),
  ScheduleKeyDeletion: key("schedule-key-deletion"),
  Sign: key("sign"),
  TagResource: key("tag-resource"),
  UntagResource: key("untag-resource"),
  UpdateAlias: key("update-alias"),
  UpdateKeyDescription: key("update-key-description"),
  Verify: key("verify"),
  VerifyMac: key("verify-mac"),
} satisfies Record<string, ActionRow>);

export type Action = keyof typeof actions;

const grantable: ReadonlySet<string> = new Set(GRANT_OPERATIONS);

/** Returns true if a grant can allow the action. */
export const isGrantable = (action: Action): action is GrantOperation => grantable.has(action);
