import { type NodeConfig, type ProviderConfig, readConfig } from "../config.ts";
import { kmsKeyId } from "../crypto/ids.ts";
import { ClavigerError } from "../errors.ts";
import { parseJson } from "../json.ts";
import { keyRefText } from "../keyring/live-keyring.ts";
import type { KeyringReader } from "../keyring/reader.ts";
import { nameText, type ObjectName } from "../keyring/rows.ts";
import type { MasterKey } from "../kube/resources.ts";
import { callFault, KmsClient } from "../plugin/kms-client.ts";
import { printableJson } from "../printable.ts";
import { isoTime } from "../times.ts";
import { CONFIG, type Command, isJson, needed, OUTPUT, parseOptions } from "./command.ts";
import { type KeyState, keyState } from "./key-state.ts";
import { print } from "./print.ts";
import { readKeyring } from "./read-keyring.ts";
import { table } from "./table.ts";

interface ProviderReport {
  readonly name: string;
  readonly socket: string;
  readonly serves: string;
  /** "ok", or what the socket answered. */
  readonly status: string;
  readonly kmsKeyId?: string;
}

interface KeyReport {
  readonly key: string;
  readonly keyId: string;
  readonly state: KeyState;
  readonly enabled: boolean;
  readonly deletionDate?: string;
  /** Until when the current version's imported material may be used. */
  readonly validTo?: string;
  readonly currentVersion?: number;
  readonly kmsKeyId?: string;
}

export const status: Command = {
  summary: "Show what this node's keyring holds and what its sockets answer.",
  usage: "status --config FILE [-o json]",
  async run(args) {
    const options = parseOptions(args, {
      config: { type: "string" },
      output: OUTPUT,
    });
    const configPath = needed(options.config, CONFIG);
    const json = isJson(options.output);
    const config = readConfig(configPath);
    const providers = await Promise.all(config.providers.map(reportProvider));
    let keys: readonly KeyReport[] | undefined;
    try {
      keys = reportKeys(config);
    } finally {
      // Also where the keyring cannot be read: a plugin may serve on from its memory.
      print(json ? `${printableJson({ providers, keys }, 2)}\n` : asTables(providers, keys));
    }
    const failing = providers.filter((provider) => provider.status !== "ok").map((provider) => provider.name);
    if (failing.length > 0) throw new ClavigerError("NotReady", `not serving: ${failing.join(", ")}`);
  },
};

async function reportProvider({ name, socket, ref }: ProviderConfig): Promise<ProviderReport> {
  const client = new KmsClient(socket);
  const report = { name, socket, serves: keyRefText(ref) };
  try {
    const { healthz, keyId } = await client.status();
    return { ...report, status: healthz, kmsKeyId: keyId };
  } catch (error) {
    return { ...report, status: callFault(error) };
  } finally {
    client.close();
  }
}

function reportKeys(config: NodeConfig): KeyReport[] {
  const now = Date.now();
  return readKeyring(config, (keyring) =>
    [...keyring.snapshot().keys.values()].map((key) => {
      const version = key.current && keyring.version(key.current.versionId);
      return {
        key: nameText(key),
        keyId: key.keyId,
        state: keyState(key, version, saidState(keyring, key), now),
        enabled: key.enabled,
        ...(key.deletionDate !== undefined && { deletionDate: key.deletionDate }),
        ...(version?.validTo !== undefined && { validTo: isoTime(version.validTo) }),
        ...(key.current && {
          currentVersion: key.current.number,
          kmsKeyId: kmsKeyId(key.keyId, key.current.versionId),
        }),
      };
    }),
  );
}

/** Standalone, the objects are in the keyring too. */
function saidState(keyring: KeyringReader, name: ObjectName): NonNullable<MasterKey["status"]>["keyState"] {
  const json = keyring.object("MasterKey", name);
  if (json === undefined) return undefined;
  // The operator has validated it.
  const object = parseJson(json, `MasterKey ${nameText(name)} in the keyring`, "KeyringCorrupt");
  return (object as MasterKey).status?.keyState;
}

function asTables(providers: readonly ProviderReport[], keys: readonly KeyReport[] | undefined): string {
  const providerRows = providers.map((row) => [
    row.name,
    row.serves,
    row.kmsKeyId ?? "",
    row.socket,
    row.status,
  ]);
  const providersTable = table(["PROVIDER", "SERVES", "KEY_ID", "SOCKET", "STATUS"], providerRows);
  if (keys === undefined) return providersTable;
  const keyRows = keys.map((row) => [
    row.key,
    row.state,
    String(row.currentVersion ?? ""),
    row.kmsKeyId ?? "",
    row.keyId,
  ]);
  return `${providersTable}\n${table(["KEY", "STATE", "VERSION", "KEY_ID", "KEYID"], keyRows)}`;
}
