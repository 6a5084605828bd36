import { randomBytes } from "node:crypto";
import { mkdir, readFile, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { status } from "@grpc/grpc-js";
import { expect, it } from "vitest";
import { contentsOf, encodings, materialsOf } from "../cluster/canaries.ts";
import { freePort } from "../controlplane/ports.ts";
import { eventually } from "../controlplane/wait.ts";
import { Installation, keyAlias, masterKey } from "./installation.ts";
import { encryptSeed, eventuallyRefused, expectOpens, expectRefused, type Sealed } from "./kms.ts";

const ROOT_KEY = Buffer.from("claviger-canary-root-key-0123456");

/** A text that was written or answered, and its place. */
interface Output {
  readonly where: string;
  readonly bytes: Buffer;
}

it("no root key, material or plaintext is in a log, a file, a metric or a status", async () => {
  expect(ROOT_KEY.length).toBe(32);
  const metrics = {
    listen: `127.0.0.1:${await freePort()}`,
    operatorListen: `127.0.0.1:${await freePort()}`,
  };
  await using installation = await Installation.create((config) => ({ ...config, metrics }));
  await mkdir(installation.stateDir, { mode: 0o700 });
  await writeFile(installation.rootKeyPath, ROOT_KEY, { mode: 0o600 });
  const sealed = await eventfulLife(installation);

  const outputs = [
    ...(await answers(installation, Object.values(metrics))),
    ...(await filesOf(installation)),
  ];
  const secrets = [
    ROOT_KEY,
    ...(await materialsOf(installation)),
    ...sealed.map(({ plaintext }) => plaintext),
  ];
  expect(secrets.length).toBeGreaterThanOrEqual(5);
  expect(leaks(secrets, outputs)).toEqual([]);

  // Proves that the search works: it finds each form in the only file that may have it.
  const rootKeyFile = { where: "root.key", bytes: await readFile(installation.rootKeyPath) };
  expect(leaks([ROOT_KEY], [rootKeyFile])).toHaveLength(1);
  for (const form of encodings(ROOT_KEY)) {
    const log = { where: "log", bytes: Buffer.concat([Buffer.from("key="), form, Buffer.from("\n")]) };
    expect(leaks([ROOT_KEY], [log]), form.toString("latin1")).toHaveLength(1);
  }
  expect(outputs.map(({ where }) => where)).toEqual(
    expect.arrayContaining([
      "state/keyring.db",
      "state/observations.json",
      "serve-0.log",
      "backup.jsonl",
      "status -o json",
      `http://${metrics.listen}/metrics`,
      `http://${metrics.operatorListen}/metrics`,
    ]),
  );
});

/** Makes claviger write and print everything that it can, in good times and bad. It still runs afterwards. */
async function eventfulLife(installation: Installation): Promise<readonly Sealed[]> {
  const serve = await installation.start("serve");
  const keyId = await installation.serving();
  const client = installation.client();
  const sealed = [await encryptSeed(client, randomBytes(32)), await encryptSeed(client, randomBytes(32))];
  for (const one of sealed) await expectOpens(client, one);
  const garbage = { ciphertext: Buffer.alloc(200), key_id: keyId };
  await expectRefused(client.decrypt(garbage), status.INVALID_ARGUMENT, /not valid/);

  await installation.manifest("more.yaml", masterKey("second"), keyAlias("main", "second"));
  await serve.line(/MasterKey claviger-system\/second: version 1 is current/);
  await installation.manifest("bad.yaml", masterKey("bad", { keySpec: "ROT13" }));
  await serve.line(/bad\.yaml/);
  await installation.manifest("secrets.yaml", masterKey("secrets", { enabled: false }));
  await eventuallyRefused(() => client.status(), status.FAILED_PRECONDITION, /is disabled/);
  await installation.manifest("secrets.yaml", masterKey("secrets"));
  await installation.serving();

  await wrongRootKey(installation);
  const { code } = await installation.runWithConfig(
    "backup",
    "--out",
    join(installation.dir, "backup.jsonl"),
  );
  expect(code).toBe(0);
  return sealed;
}

/** Installs another root key for a while: both processes start with it and complain. */
async function wrongRootKey(installation: Installation): Promise<void> {
  await installation.runs.at(-1)?.process.stop();
  const away = join(installation.dir, "..", `${installation.dir.split("/").at(-1)}.key`);
  await rename(installation.rootKeyPath, away);
  await writeFile(installation.rootKeyPath, randomBytes(32), { mode: 0o600 });
  const serve = await installation.start("serve");
  await serve.line(/is sealed under root key/);
  await rename(away, installation.rootKeyPath);
  await installation.serving();
}

/** Returns claviger's answers to all callers. */
async function answers(installation: Installation, addresses: readonly string[]): Promise<Output[]> {
  const outputs: Output[] = [];
  for (const address of addresses) {
    const where = `http://${address}/metrics`;
    const response = await eventually(`${where} answers`, () => fetch(where));
    outputs.push({ where, bytes: Buffer.from(await response.arrayBuffer()) });
  }
  for (const args of [["status"], ["status", "-o", "json"]]) {
    const { stdout, stderr } = await installation.runWithConfig(args[0] ?? "", ...args.slice(1));
    outputs.push({ where: args.join(" "), bytes: Buffer.from(stdout + stderr) });
  }
  return outputs;
}

/** Returns every file of the installation, including its logs and the keyring's log, except the root key. */
async function filesOf(installation: Installation): Promise<Output[]> {
  return [...(await contentsOf(installation.dir))]
    .filter(([path]) => path !== installation.rootKeyPath)
    .map(([path, bytes]) => ({ where: path.slice(installation.dir.length + 1), bytes }));
}

const leaks = (secrets: readonly Buffer[], outputs: readonly Output[]): string[] =>
  secrets.flatMap((secret, which) =>
    outputs
      .filter(({ bytes }) => encodings(secret).some((form) => bytes.includes(form)))
      .map(({ where }) => `secret ${which} is in ${where}`),
  );
