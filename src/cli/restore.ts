import { existsSync } from "node:fs";
import { join, resolve } from "node:path";
import { type NodeConfig, readConfig } from "../config/config.ts";
import { ClavigerError, messageOf } from "../errors.ts";
import { readRegularFile } from "../files/regular-file.ts";
import { type Backup, parseBackup } from "../keyring/backup/format.ts";
import { type MergePlan, planMerge } from "../keyring/backup/merge.ts";
import { restoreKeyring } from "../keyring/backup/restore.ts";
import type { KeyringImage } from "../keyring/rows.ts";
import { KEYRING_FILE, STOP_IT_FIRST } from "../keyring/state-folder.ts";
import { KeyringWriter } from "../keyring/writer.ts";
import { printable } from "../printable.ts";
import { firstFew } from "../resources/first-few.ts";
import { openSeals } from "../seal/open-seals.ts";
import type { SealSource } from "../seal/seal-source.ts";
import { type Command, configPathOf, parseArgument } from "./command.ts";
import { imageSummary, testVersions, type VersionFault, withoutFalseProofs } from "./site/version-check.ts";
import { complain, print } from "./terminal/print.ts";

export const restore: Command = {
  summary: "Create this node's keyring from a backup, or add the versions that it lacks.",
  usage: "restore [--config FILE] [--merge] [--skip-unopened] FILE",
  options: {
    "--merge": "add what the keyring lacks; without it, there must be no keyring",
    "--skip-unopened": "leave out versions that do not open on this node",
  },
  async run(args) {
    const { argument: file, options } = parseArgument(args, "exactly one FILE", {
      config: { type: "string" },
      merge: { type: "boolean" },
      "skip-unopened": { type: "boolean" },
    });
    const config = readConfig(configPathOf(options.config));
    const path = resolve(file);
    const backup = await restorable(readBackup(path), {
      path,
      config,
      skip: options["skip-unopened"] === true,
    });
    const merge = options.merge === true && existsSync(join(config.stateDir, KEYRING_FILE));
    print(merge ? mergeInto(config, backup) : restoreInto(config, backup));
  },
};

/** Enough for more than a hundred thousand versions. */
const MAX_BACKUP_BYTES = 256 * 1024 * 1024;

function readBackup(path: string): Backup {
  let bytes: Buffer;
  try {
    bytes = readRegularFile(path, { maxBytes: MAX_BACKUP_BYTES, pipes: true });
  } catch (cause) {
    throw new ClavigerError("ConfigInvalid", `backup ${path} cannot be read: ${messageOf(cause)}`, { cause });
  }
  return parseBackup(bytes, path);
}

interface Check {
  readonly path: string;
  readonly config: NodeConfig;
  readonly skip: boolean;
}

/**
 * Returns the backup, or, if that was asked for, the part of it that opens here. Throws before anything is
 * written.
 */
async function restorable(backup: Backup, { path, config, skip }: Check): Promise<Backup> {
  const seals = openSeals(config);
  const { versions } = backup.image;
  const faults = await testVersions(versions, seals);
  const [fault] = faults;
  if (fault === undefined) return withSoundProofs(backup, seals);
  const count = `${faults.length} of ${versions.length} versions`;
  if (!skip || faults.length === versions.length) {
    throw new ClavigerError(
      fault.code,
      `nothing was restored: ${count} in ${path} do not open on this node: ${fault.message}`,
    );
  }
  complain(`${count} do not open on this node and are left out: ${fault.message}`);
  return withSoundProofs({ ...backup, image: without(backup.image, faults) }, seals);
}

/** A version whose owner or validTo contradicts its proof is restored all the same, and reported. */
async function withSoundProofs(backup: Backup, seals: SealSource): Promise<Backup> {
  const { versions, stripped } = await withoutFalseProofs(backup.image.versions, seals);
  if (stripped.length > 0) {
    complain(
      `the ownership proof of ${firstFew(stripped, 5)} does not fit and is left out: its owner and validTo are those of the backup; check them`,
    );
  }
  return { ...backup, image: { ...backup.image, versions } };
}

/**
 * Removes versions that do not open. A key whose current version is removed has none until the operator finds
 * one; otherwise objects would name a version that does not exist.
 */
function without(image: KeyringImage, faults: readonly VersionFault[]): KeyringImage {
  const unopened = new Set<string>(faults.map(({ versionId }) => versionId));
  return {
    aliases: image.aliases,
    objects: [],
    versions: image.versions.filter(({ versionId }) => !unopened.has(versionId)),
    keys: image.keys.map(({ current, ...key }) =>
      current === undefined || unopened.has(current.versionId) ? key : { ...key, current },
    ),
  };
}

function restoreInto({ stateDir }: NodeConfig, backup: Backup): string {
  restoreKeyring(stateDir, backup);
  return `${join(stateDir, KEYRING_FILE)} was made from the backup of ${printable(backup.nodeName)} of ${printable(backup.takenAt)}: ${imageSummary(backup.image)}
Start this node's operator: it hands back the versions that the API server has lost,
and the other nodes take them from there.
`;
}

function mergeInto({ stateDir }: NodeConfig, backup: Backup): string {
  const keyring = KeyringWriter.open(stateDir, STOP_IT_FIRST);
  try {
    const held = {
      versions: keyring.versions(),
      keys: keyring.keys(),
      aliases: keyring.aliases(),
      objects: [],
    };
    const destroyed = keyring.destroyedIds();
    const plan = planMerge(backup.image, held, destroyed);
    keyring.apply(plan.changes);
    return mergeText(keyring.path, backup, plan);
  } finally {
    keyring.close();
  }
}

/** Describes the result of a merge. */
export function mergeText(path: string, { image, nodeName, takenAt }: Backup, plan: MergePlan): string {
  const total = image.versions.length;
  const { versions, destroyed } = plan;
  const parts = [
    `${path} got ${versions} of ${total} versions from the backup of ${nodeName} of ${takenAt}`,
    destroyed === 1 && "1 was destroyed here and does not come back",
    destroyed > 1 && `${destroyed} were destroyed here and do not come back`,
    versions + destroyed < total && "it had the others",
  ];
  return [parts.filter((part) => part !== false).join("; "), ...plan.kept]
    .map((line) => `${printable(line)}\n`)
    .join("");
}
