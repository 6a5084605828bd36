/**
 * The conditions of public detection rules for CloudTrail's records of AWS KMS, restated in our own words by the fields
 * that each reads: no rule is copied here. `source` names the rule, so that the two can be compared.
 */

/** A record of the audit log, as a program that reads lines of JSON has it. */
export interface ReadRecord {
  readonly eventName?: string;
  readonly eventSource?: string;
  readonly eventType?: string;
  readonly errorCode?: string | null;
  readonly errorMessage?: string | null;
  readonly userIdentity?: { readonly type?: string; readonly arn?: string; readonly principalId?: string };
  readonly resources?: readonly { readonly type?: string; readonly ARN?: string }[];
  readonly requestParameters?: { readonly policy?: string } | null;
}

export interface PublicRule {
  readonly name: string;
  /** The repository and the file in it, and the licence if the file or its repository names it. */
  readonly source: string;
  /** Returns true if the rule raises an alert about a record. */
  readonly fires: (record: ReadRecord) => boolean;
}

const isKms = ({ eventSource }: ReadRecord): boolean => eventSource === "kms.amazonaws.com";
const isNamed =
  (...names: readonly string[]) =>
  ({ eventName = "" }: ReadRecord): boolean =>
    names.includes(eventName);
/** Elastic's integration says success if a record has no error. */
const succeeded = ({ errorCode, errorMessage }: ReadRecord): boolean => !errorCode && !errorMessage;
const isByPerson = ({ userIdentity }: ReadRecord): boolean => userIdentity?.type !== "AWSService";
const isLoss = isNamed("DisableKey", "ScheduleKeyDeletion");

const SIGMA = "SigmaHQ/sigma, rules/cloud/aws/cloudtrail";
const ELASTIC = "elastic/detection-rules, rules/integrations/aws";
const PANTHER = "panther-labs/panther-analysis, rules/aws_cloudtrail_rules";

export const PUBLIC_RULES: readonly PublicRule[] = [
  {
    name: "imported key material is used",
    source: `${SIGMA}/aws_kms_import_key_material.yml (Detection Rule License 1.1)`,
    fires: (record) => isKms(record) && isNamed("ImportKeyMaterial", "DeleteImportedKeyMaterial")(record),
  },
  {
    name: "a custom key store is connected or created",
    source: `${SIGMA}/aws_kms_custom_key_store_connected_or_created.yml (Detection Rule License 1.1)`,
    fires: (record) =>
      isKms(record) &&
      isNamed("ConnectCustomKeyStore", "CreateCustomKeyStore", "UpdateCustomKeyStore")(record),
  },
  {
    name: "a key is disabled or scheduled for deletion",
    source: `${ELASTIC}/impact_kms_cmk_disabled_or_scheduled_for_deletion.toml (Elastic License v2)`,
    fires: (record) => isKms(record) && isLoss(record) && succeeded(record),
  },
  {
    name: "imported key material is deleted",
    source: `${ELASTIC}/impact_kms_imported_key_material_deleted.toml (Elastic License v2)`,
    fires: (record) =>
      isKms(record) &&
      isNamed("DeleteImportedKeyMaterial")(record) &&
      succeeded(record) &&
      isByPerson(record),
  },
  {
    name: "a key policy is put",
    source: `${ELASTIC}/privilege_escalation_kms_key_policy_put.toml (Elastic License v2)`,
    fires: (record) =>
      isKms(record) && isNamed("PutKeyPolicy")(record) && succeeded(record) && isByPerson(record),
  },
  {
    name: "a key is lost",
    source: `${PANTHER}/aws_kms_cmk_loss.py`,
    fires: (record) => succeeded(record) && isLoss(record),
  },
  {
    name: "a sensitive API is called by a VPC endpoint",
    source: `${PANTHER}/aws_vpce_sensitive_api_calls.py`,
    fires: ({ eventType }) => eventType === "AwsVpceEvent",
  },
  {
    name: "a key is made that everybody may encrypt with",
    source:
      "splunk/security_content, detections/cloud/aws_detect_users_creating_keys_with_encrypt_policy_without_mfa.yml (Apache-2.0)",
    fires: (record) =>
      isNamed("CreateKey", "PutKeyPolicy")(record) && statementsOf(record).some(isEncryptForAll),
  },
  {
    name: "a key is disabled or scheduled for deletion, by a metric filter",
    source: "CIS AWS Foundations Benchmark, 3.7",
    fires: (record) => isKms(record) && isLoss(record),
  },
];

/** Returns the ARN by which Panther's rule joins its alerts of one key. */
export const lostKey = ({ resources = [] }: ReadRecord): string | undefined =>
  resources.find(({ type }) => type === "AWS::KMS::Key")?.ARN;

interface Statement {
  readonly Action?: string | readonly string[];
  readonly Principal?: { readonly AWS?: string | readonly string[] };
}

/** The policy is a text of JSON within the JSON of the record. */
const statementsOf = ({ requestParameters }: ReadRecord): readonly Statement[] =>
  requestParameters?.policy === undefined ? [] : JSON.parse(requestParameters.policy).Statement;

const isEncryptForAll = ({ Action = [], Principal }: Statement): boolean =>
  [Action].flat().includes("kms:Encrypt") && Principal?.AWS === "*";
