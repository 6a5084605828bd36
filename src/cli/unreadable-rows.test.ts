import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { parseBackup } from "../keyring/backup/format.ts";
import { KeyringWriter } from "../keyring/writer.ts";
import { createRootKey } from "../seal/root-key-file.ts";
import { key, keyId, promoted, temporaryFolder, version, versionId } from "../testing/keyring.ts";
import { backup } from "./backup.ts";
import { readKeyringFacts } from "./site/keyring-facts.ts";

let folder: ReturnType<typeof temporaryFolder>;
const path = (name: string) => join(folder.path, name);
beforeEach(() => {
  folder = temporaryFolder();
  createRootKey(path("root.key"));
  const config = {
    apiVersion: "config.claviger.dev/v1alpha1",
    kind: "NodeConfig",
    nodeName: "node-1",
    stateDir: "./state",
    seal: { file: { path: "./root.key" } },
    providers: [],
    manifests: "./keys",
  };
  writeFileSync(path("claviger.yaml"), JSON.stringify(config));
  const writer = KeyringWriter.open(path("state"));
  writer.apply([
    ...promoted(version(1), version(2)),
    { kind: "putKey", key: key({ name: "other", keyId: keyId(2) }) },
  ]);
  writer.close();
  using db = new DatabaseSync(path("state/keyring.db"));
  db.exec(`UPDATE versions SET number = 9007199254740993 WHERE version_id = '${versionId(2)}'`);
  db.exec("UPDATE keys SET former_key_ids = 'x' WHERE name = 'other'");
});
afterEach(() => {
  vi.restoreAllMocks();
  folder.remove();
});

const UNREADABLE = [
  expect.stringMatching(/version bbbbbbbb-.*2 cannot be read: .*column number/),
  expect.stringMatching(/the keyring's row of MasterKey apps\/other cannot be read/),
];

test("claviger doctor is told of every row that cannot be read, and of all the others", () => {
  const facts = readKeyringFacts({ stateDir: path("state") });
  expect(facts.unreadable.toSorted()).toEqual(UNREADABLE.toReversed());
  expect([...facts.versionNames.values()]).toEqual(["apps/secrets v1"]);
});

test("claviger backup => what can be read is in the file, the rest is named, and the command fails", async () => {
  const errors: string[] = [];
  vi.spyOn(process.stderr, "write").mockImplementation((text) => errors.push(String(text)) > 0);
  vi.spyOn(process.stdout, "write").mockImplementation(() => true);
  const out = path("backup");
  await expect(backup.run(["--config", path("claviger.yaml"), "--out", out])).rejects.toThrow(
    /do not open on this node/,
  );
  expect(errors).toEqual(UNREADABLE);
  const { image } = parseBackup(readFileSync(out), out);
  expect(image.versions).toMatchObject([{ number: 1 }]);
  expect(image.keys).toMatchObject([{ name: "secrets" }]);
  expect(image.keys[0]).not.toHaveProperty("current");
});
