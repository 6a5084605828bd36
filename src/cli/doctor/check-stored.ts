import type { NodeConfig } from "../../config/config.ts";
import { isKeptPlain } from "../../storage/census/census.ts";
import { type CensusRow, objectsText } from "../../storage/census/census-tally.ts";
import {
  type EncryptionConfig,
  type EncryptionProvider,
  type EncryptionRule,
  ruleFor,
  servesSocket,
} from "../../storage/encryption-config/encryption-config.ts";
import type { StoredValue } from "../../storage/etcd/stored-value.ts";
import { parseGroupResource } from "../../storage/served/group-resource.ts";
import { type Check, check, when } from "./check.ts";

/** Stands for the group of an etcd key that does not name its group. */
const UNKNOWN_GROUP = ".?";

/** Checks of the objects in etcd against what the EncryptionConfiguration can read. */
export const storedChecks: readonly Check[] = [
  check("NoEtcd", [], (_, { config, looks }) =>
    when(looks.etcd.kind === "absent" && config.resources.kind === "kubeconfig", () => ({
      severity: "warning",
      object: config.path,
      message:
        "there is no etcd: values that are plain, damaged or under a lost key are not found, and no re-encryption is verified",
      remedy: "set etcd.endpoints, etcd.ca, etcd.cert and etcd.key; claviger only reads there",
    })),
  ),
  check("ValuesUnlisted", ["etcd"], ({ etcd }) =>
    when(etcd.unlisted > 0, () => ({
      severity: "warning",
      object: "etcd",
      message: `${etcd.unlisted} objects were not checked: etcd has more kinds of stored values than claviger lists`,
      remedy:
        "claviger census -o json shows where they come from: somebody writes into etcd past the API servers",
    })),
  ),
  check("DamagedValues", ["etcd"], ({ etcd }) =>
    etcd.rows
      .filter(({ stored }) => stored.kind === "damaged")
      .map((row) => ({
        severity: "error",
        object: row.resource,
        message: `${counted(row)} begin as encrypted values and are none: no API server can read them (${examples(row)})`,
        remedy:
          "restore them from a backup of etcd; docs/troubleshooting.md, Objects that cannot be read, says what to try first and why not to delete them",
      })),
  ),
  check("UnknownKeyId", ["etcd", "keyring", "encryptionConfig"], (seen, { config }) =>
    seen.etcd.rows.flatMap((row) => {
      const { stored } = row;
      const lost =
        stored.kind === "kms-v2" &&
        ourNames(seen.encryptionConfig, config).has(stored.provider) &&
        !seen.keyring.versionNames.has(stored.keyId);
      return when(lost, () => ({
        severity: "error",
        object: row.resource,
        message: `${counted(row)} are under key_id ${stored.kind === "kms-v2" ? stored.keyId : ""}, of which this node's keyring has no version: they cannot be read here (${examples(row)})`,
        remedy:
          "start this node's operator, which stores what the others have; if none has it: claviger restore --merge of a backup that does",
      }));
    }),
  ),
  check("MissingProvider", ["etcd", "encryptionConfig"], ({ etcd, encryptionConfig }) =>
    etcd.rows.flatMap((row) => {
      const rule = ruleOf(row, encryptionConfig);
      return when(rule !== undefined && !canBeRead(row.stored, rule), () => ({
        severity: "error",
        object: row.resource,
        message: `${counted(row)} are stored by ${storedText(row.stored)}, and ${rule === "none" ? `no rule is for ${row.resource}` : `the rule for ${row.resource} does not have it`}: no API server that goes by this file can read them (${examples(row)})`,
        remedy: `${rule === "none" ? "add a rule with that provider, after the one that is to write," : "add that provider after the first one to the rule"} for ${row.resource} in ${encryptionConfig.path}, on every node, and write the objects back; do not delete them`,
      }));
    }),
  ),
  check("PlainValues", ["etcd", "encryptionConfig"], ({ etcd, encryptionConfig }, { config, looks }) =>
    etcd.rows.flatMap((row) => {
      const rule = ruleOf(row, encryptionConfig);
      const goesBy =
        looks.apiServer.kind === "seen" ? looks.apiServer.value.status.encryptionConfig : "Unknown";
      const stillPlain = goesBy === "NotConfigured" || goesBy === "NotLoaded";
      const [writer] = rule === undefined || rule === "none" ? [] : rule.providers;
      const left = row.stored.kind === "plain" && writer !== undefined && isOurs(writer, config);
      if (stillPlain)
        return when(left, () => ({
          severity: "error",
          object: row.resource,
          message: `${counted(row)} are stored plain, and more may follow: this node's API server does not use the EncryptionConfiguration on the disk (${examples(row)})`,
          remedy: "let the API server load the file first, then write them back",
        }));
      return when(left, () => ({
        severity: "warning",
        object: row.resource,
        message: `${counted(row)} are stored plain, although the first provider for them is claviger's (${examples(row)})`,
        remedy:
          "write them back: apply deploy/rewriter.yaml (docs/install/by-hand.md, step 10); if one that was created just now is plain too, the API server does not go by this file: docs/troubleshooting.md, New objects are stored plain",
      }));
    }),
  ),
];

/**
 * Returns the rule for a row's resource, "none" if no rule names it, or undefined if the row does not say
 * enough to tell.
 */
function ruleOf(
  { resource, stored }: CensusRow,
  config: EncryptionConfig,
): EncryptionRule | "none" | undefined {
  if (resource.endsWith(UNKNOWN_GROUP)) return undefined;
  if (isKeptPlain(resource, stored)) return "none";
  return ruleFor(config, parseGroupResource(resource)) ?? "none";
}

function canBeRead(stored: StoredValue, rule: EncryptionRule | "none"): boolean {
  // Without a rule the API server stores and reads plain objects.
  if (rule === "none") return stored.kind === "plain" || stored.kind === "damaged";
  return stored.kind === "damaged" || rule.providers.some((provider) => reads(provider, stored));
}

function reads(provider: EncryptionProvider, stored: StoredValue): boolean {
  switch (stored.kind) {
    case "plain":
      return provider.kind === "identity";
    case "kms-v1":
    case "kms-v2":
      return (
        provider.kind === "kms" &&
        `kms-${provider.apiVersion}` === stored.kind &&
        provider.name === stored.provider
      );
    case "aescbc":
    case "aesgcm":
    case "secretbox":
      return provider.kind === stored.kind && provider.keyNames.includes(stored.keyName);
    case "damaged":
      return true;
  }
}

function storedText(stored: StoredValue): string {
  switch (stored.kind) {
    case "plain":
      return "identity";
    case "kms-v1":
    case "kms-v2":
      return `${stored.kind.replace("-", " ")} provider ${stored.provider}`;
    case "aescbc":
    case "aesgcm":
    case "secretbox":
      return `${stored.kind} key ${stored.keyName}`;
    case "damaged":
      return "nobody knows whom";
  }
}

const isOurs = (provider: EncryptionProvider, { providers }: NodeConfig): boolean =>
  providers.some(({ socket }) => servesSocket(provider, socket));

/** Names of the kms entries behind this node's sockets. */
const ourNames = ({ rules }: EncryptionConfig, config: NodeConfig): ReadonlySet<string> =>
  new Set(
    rules
      .flatMap(({ providers }) => providers)
      .flatMap((provider) => (provider.kind === "kms" && isOurs(provider, config) ? [provider.name] : [])),
  );

const counted = ({ objects }: CensusRow): string => objectsText(objects);

const examples = ({ objects, examples: names }: CensusRow): string =>
  names.length < objects ? `${names.join(", ")} …` : names.join(", ");
