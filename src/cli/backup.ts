import { existsSync } from "node:fs";
import { resolve } from "node:path";
import { type NodeConfig, readConfig } from "../config/config.ts";
import { ClavigerError } from "../errors.ts";
import { encodeBackup } from "../keyring/backup/format.ts";
import { existing, writeNewFile } from "../keyring/new-file.ts";
import type { KeyringImage, UnreadableRow } from "../keyring/rows.ts";
import { openSeals } from "../seal/open-seals.ts";
import { type Command, configPathOf, needed, parseOptions } from "./command.ts";
import { readKeyring } from "./site/read-keyring.ts";
import { imageSummary, testVersions } from "./site/version-check.ts";
import { complain, print } from "./terminal/print.ts";

export const backup: Command = {
  summary: "Write this node's keyring, sealed as it is and without the root key, into a new file.",
  usage: "backup [--config FILE] --out FILE",
  options: { "--out FILE": "the file to write, which must not be there yet" },
  async run(args) {
    const options = parseOptions(args, { config: { type: "string" }, out: { type: "string" } });
    const configPath = configPathOf(options.config);
    const out = resolve(needed(options.out, "--out FILE"));
    const config = readConfig(configPath);
    if (existsSync(out)) throw existing(out);
    const { image, unreadable } = readKeyring(config, (keyring) => keyring.readImage());
    const takenAt = new Date().toISOString();
    const faults = await testVersions(image.versions, openSeals(config));
    writeNewFile(out, encodeBackup({ takenAt, nodeName: config.nodeName, image }));
    print(report(out, image, config));
    for (const { error } of unreadable) complain(error.message);
    const [fault] = faults;
    if (fault === undefined && unreadable.length > 0) throw incomplete(out, unreadable);
    if (fault === undefined) return;
    const count = `${faults.length} of ${image.versions.length} versions`;
    throw new ClavigerError(
      fault.code,
      `backup ${out} was written, but ${count} in it do not open on this node: ${fault.message}`,
    );
  },
};

const incomplete = (out: string, unreadable: readonly UnreadableRow[]): ClavigerError =>
  new ClavigerError(
    "KeyringCorrupt",
    `backup ${out} was written without what this release cannot read (${unreadable.length}, named above): keep older backups and the keyring itself`,
  );

function report(out: string, image: KeyringImage, config: NodeConfig): string {
  const rootKeys = [...new Set(image.versions.map(({ sealed }) => `${sealed.provider}:${sealed.rootKeyId}`))];
  return `${out}: ${imageSummary(image)}

The root key is NOT in it. Without the root key nobody can ever open this backup.
  needed  ${rootKeys.join(", ") || "none yet"}
  here    ${config.seal.path}
Keep a copy of the root key too, apart from this file and from the backups of etcd:
together they open every Secret.
`;
}
