import { existsSync } from "node:fs";
import { join, resolve } from "node:path";
import { type NodeConfig, readConfig } from "../config.ts";
import { ClavigerError } from "../errors.ts";
import { encodeBackup } from "../keyring/backup-format.ts";
import { existing, writeNewFile } from "../keyring/new-file.ts";
import { KeyringReader } from "../keyring/reader.ts";
import type { KeyringImage } from "../keyring/rows.ts";
import { KEYRING_FILE } from "../keyring/writer.ts";
import { SealSource } from "../seal/seal-source.ts";
import { type Command, parseOptions, UsageError } from "./command.ts";
import { imageSummary, testVersions } from "./version-check.ts";

export const backup: Command = {
  summary: "Write this node's keyring, sealed as it is and without the root key, into a new file.",
  usage: "backup --config FILE --out FILE",
  async run(args) {
    const options = parseOptions(args, { config: { type: "string" }, out: { type: "string" } });
    if (options.config === undefined) throw new UsageError("--config FILE is needed");
    if (options.out === undefined) throw new UsageError("--out FILE is needed");
    const config = readConfig(options.config);
    const out = resolve(options.out);
    if (existsSync(out)) throw existing(out);
    const image = readImage(config);
    const takenAt = new Date().toISOString();
    const faults = await testVersions(image.versions, new SealSource(config.rootKeyPath));
    writeNewFile(out, encodeBackup({ takenAt, nodeName: config.nodeName, image }));
    process.stdout.write(report(out, image, config));
    const [fault] = faults;
    if (fault === undefined) return;
    const count = `${faults.length} of ${image.versions.length} versions`;
    throw new ClavigerError(
      fault.code,
      `backup ${out} was written, but ${count} in it do not open on this node: ${fault.message}`,
    );
  },
};

function readImage(config: NodeConfig): KeyringImage {
  const reader = KeyringReader.open(join(config.stateDir, KEYRING_FILE));
  try {
    return reader.image();
  } finally {
    reader.close();
  }
}

function report(out: string, image: KeyringImage, config: NodeConfig): string {
  const rootKeys = [...new Set(image.versions.map(({ sealed }) => `${sealed.provider}:${sealed.rootKeyId}`))];
  return `${out}: ${imageSummary(image)}

The root key is NOT in it. Without the root key nobody can ever open this backup.
  needed  ${rootKeys.join(", ") || "none yet"}
  here    ${config.rootKeyPath}
Keep a copy of the root key too, apart from this file and from the backups of etcd:
together they open every Secret.
`;
}
