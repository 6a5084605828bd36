import { type NodeConfig, readConfig } from "../config/config.ts";
import { messageOf } from "../errors.ts";
import type { Census } from "../storage/census/census.ts";
import { objectsText } from "../storage/census/census-tally.ts";
import { censusOfNode } from "../storage/census/node-census.ts";
import type { StoredValue } from "../storage/etcd/stored-value.ts";
import { type Command, configPathOf, formatOf, OUTPUT, parseOptions } from "./command.ts";
import { readKeyringFacts } from "./site/keyring-facts.ts";
import { mustBeOwnEtcd } from "./site/own-etcd.ts";
import { render } from "./terminal/output.ts";
import { complain, print } from "./terminal/print.ts";
import { ProgressLine } from "./terminal/progress.ts";
import { stopSignal } from "./terminal/stop-signal.ts";
import { table } from "./terminal/table.ts";

export const census: Command = {
  summary: "Count the objects in etcd under each key_id.",
  usage: "census [--config FILE] [--all] [-o json|yaml]",
  options: {
    "--all":
      "every resource, not only those that the EncryptionConfiguration stores through this node's sockets",
  },
  async run(args) {
    const options = parseOptions(args, {
      config: { type: "string" },
      all: { type: "boolean" },
      output: OUTPUT,
    });
    const configPath = configPathOf(options.config);
    const format = formatOf(options.output);
    const config = readConfig(configPath);
    // A program may read both streams as one.
    const shows = process.stderr.isTTY || format === undefined;
    const line = shows ? new ProgressLine(process.stderr, { seldom: true }) : undefined;
    const signal = stopSignal();
    const taken = await censusOfNode(config, {
      all: options.all === true,
      signal,
      onProgress: (objects) => line?.show({ text: `${objectsText(objects)} counted` }),
    }).finally(() => line?.clear());
    const versions = versionNames(config);
    print(
      format
        ? render(forPrograms(taken, versions), format)
        : asTable(taken, versions, process.stdout.columns),
    );
    await mustBeOwnEtcd(config, signal);
  },
};

/** Maps each key_id to its MasterKey version, as recorded in this node's keyring. */
type VersionNames = ReadonlyMap<string, string>;

function versionNames(config: NodeConfig): VersionNames {
  try {
    return readKeyringFacts(config).versionNames;
  } catch (error) {
    complain(`versions are not named: ${messageOf(error)}`);
    return new Map();
  }
}

function forPrograms({ rows, ...rest }: Census, versions: VersionNames): object {
  const named = rows.map(({ stored, ...row }) => {
    const version = stored.kind === "kms-v2" ? versions.get(stored.keyId) : undefined;
    return { ...row, stored, ...(version !== undefined && { version }) };
  });
  return { ...rest, rows: named };
}

function asTable(
  { revision, objects, rows, unlisted }: Census,
  versions: VersionNames,
  width: number | undefined,
): string {
  const lines = rows.map((row) => {
    const { provider, keyId } = columnsOf(row.stored);
    return [row.resource, provider, keyId, versions.get(keyId) ?? "", String(row.objects)];
  });
  const more = unlisted === 0 ? "" : `, ${unlisted} of them not listed: there are too many kinds`;
  const total = `${objectsText(objects)} at etcd's revision ${revision}${more}\n`;
  const header = ["RESOURCE", "PROVIDER", "KEY_ID", "VERSION", "OBJECTS"];
  return `${table(header, lines, { whole: ["KEY_ID"], ...(width !== undefined && { width }) })}\n${total}`;
}

function columnsOf(stored: StoredValue): { readonly provider: string; readonly keyId: string } {
  switch (stored.kind) {
    case "plain":
      return { provider: "(plain)", keyId: "" };
    case "kms-v2":
      return { provider: stored.provider, keyId: stored.keyId };
    case "kms-v1":
      return { provider: `${stored.provider} (kms v1)`, keyId: "" };
    case "aescbc":
    case "aesgcm":
    case "secretbox":
      return { provider: `${stored.kind} ${stored.keyName}`, keyId: "" };
    case "damaged":
      return { provider: `${stored.provider ?? ""} (damaged)`.trimStart(), keyId: "" };
  }
}
