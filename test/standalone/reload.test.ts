import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { mkdir, readFile, rename, rm, symlink, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { join } from "node:path";
import { expect, it } from "vitest";
import { eventually } from "../controlplane/wait.ts";
import { type ConfigFile, Installation, masterKey } from "./installation.ts";
import { encryptSeed, expectOpens } from "./kms.ts";
import { RawCall } from "./raw-call.ts";

const STATUS = "/v2.KeyManagementService/Status";
const secondProvider = { name: "second", socket: "./run/second.sock", key: "claviger-system/second" };

const withSecond = (config: ConfigFile): ConfigFile => ({
  ...config,
  providers: [...config.providers, secondProvider],
});
const withoutSecond = (config: ConfigFile): ConfigFile => ({
  ...config,
  providers: config.providers.filter(({ name }) => name !== "second"),
});

/** Starts a plugin with a key for a second provider. */
async function started(installation: Installation) {
  await installation.manifest("second.yaml", masterKey("second"));
  const operator = await installation.start("operator");
  await operator.line(/MasterKey claviger-system\/second: version 1 is current/);
  const plugin = await installation.start("plugin");
  await installation.serving();
  return plugin;
}

it("a provider that is added to the file gets its socket, and one that was there keeps its connections", async () => {
  await using installation = await Installation.create();
  const plugin = await started(installation);
  const keyId = await installation.serving();
  using open = await RawCall.open(installation.socket(), STATUS);
  let disturbed = false;
  open.goaway.then(
    () => {
      disturbed = true;
    },
    () => undefined,
  );
  await installation.configure(withSecond);
  expect(await installation.serving("second")).not.toBe(keyId);
  await installation.configure(withoutSecond);
  await plugin.line(/provider second was removed/);
  expect((await open.finish(Buffer.alloc(0))).status).toBe("0");
  expect(disturbed).toBe(false);
});

it("a provider that is removed finishes its calls in flight and loses its socket, and what it encrypted still opens", async () => {
  await using installation = await Installation.create(withSecond);
  const plugin = await started(installation);
  await installation.serving("second");
  const sealed = await encryptSeed(installation.client("second"), randomBytes(32));
  using call = await RawCall.open(installation.socket("second"), STATUS);
  await installation.configure(withoutSecond);
  await call.goaway;
  expect((await call.finish(Buffer.alloc(0))).status).toBe("0");
  await plugin.line(/provider second was removed/);
  expect(existsSync(installation.socket("second"))).toBe(false);
  await expectOpens(installation.client(), sealed);
});

it("SIGHUP takes up a file that changed where nobody watches", async () => {
  await using installation = await Installation.create();
  // The watched folder has only a link.
  const elsewhere = join(installation.dir, "elsewhere");
  const target = join(elsewhere, "claviger.yaml");
  await mkdir(elsewhere);
  await rename(installation.configPath, target);
  await symlink(target, installation.configPath);
  const plugin = await started(installation);
  const text = await readFile(target, "utf8");
  const { name, socket, key } = secondProvider;
  const more = text.replace(
    "manifests:",
    `  - { name: ${name}, socket: ${socket}, key: ${key} }\nmanifests:`,
  );
  await installation.replace(target, more);
  process.kill(plugin.process.pid, "SIGHUP");
  await installation.serving("second");
  process.kill(plugin.process.pid, "SIGHUP");
  await installation.replace(target, text);
  process.kill(plugin.process.pid, "SIGHUP");
  await plugin.line(/provider second was removed/);
  expect(plugin.process.alive).toBe(true);
});

it("a provider that is pointed to another key serves that one on the same socket, and opens what the first encrypted", async () => {
  await using installation = await Installation.create();
  await started(installation);
  const first = await installation.serving();
  const sealed = await encryptSeed(installation.client(), randomBytes(32));
  await installation.configure((config) => ({
    ...config,
    providers: config.providers.map((provider) => ({ ...provider, key: "claviger-system/second" })),
  }));
  await eventually("the other key is served", async () => (await installation.serving()) !== first);
  await expectOpens(installation.client(), sealed);
});

it.each([
  { what: "no YAML", text: () => "providers: [", says: /claviger\.yaml/ },
  { what: "empty", text: () => "", says: /claviger\.yaml/ },
  {
    what: "misspelt",
    text: (good: string) => good.replace("providers:", "provider:"),
    says: /provider/,
  },
  {
    what: "of two providers on one socket",
    text: (good: string) =>
      good.replace("manifests:", "  - { name: b, socket: ./run/secrets.sock, key: a/b }\nmanifests:"),
    says: /two providers have the socket/,
  },
  {
    what: "of another state folder",
    text: (good: string) => good.replace("stateDir: ./state", "stateDir: ./elsewhere"),
    says: /stateDir and seal change with a restart only/,
  },
])(
  "a configuration that is $what changes nothing, is logged, and is taken up when mended",
  async ({ text, says }) => {
    await using installation = await Installation.create();
    const plugin = await started(installation);
    const keyId = await installation.serving();
    const client = installation.client();
    const sealed = await encryptSeed(client, randomBytes(32));
    const good = await readFile(installation.configPath, "utf8");
    await installation.replace(installation.configPath, text(good));
    const line = await plugin.line(/ERROR plugin: the configuration stays as it was: /);
    expect(line).toMatch(says);
    await expectOpens(client, sealed);
    expect((await client.status()).key_id).toBe(keyId);
    await installation.replace(installation.configPath, good);
    await installation.configure(withSecond);
    await installation.serving("second");
  },
);

it("a configuration file that is written in place, or away for a moment, is taken up in the end", async () => {
  await using installation = await Installation.create();
  const plugin = await started(installation);
  const good = await readFile(installation.configPath, "utf8");
  const { name, socket, key } = secondProvider;
  await rm(installation.configPath);
  await plugin.line(/the configuration stays as it was: .*cannot be read/);
  await installation.serving();
  await writeFile(
    installation.configPath,
    good.replace("manifests:", `  - { name: ${name}, socket: ${socket}, key: ${key} }\nmanifests:`),
  );
  await installation.serving("second");
});

it("a configuration file that the system does not let us look at is logged, and the sockets answer on", async () => {
  await using installation = await Installation.create();
  const plugin = await started(installation);
  const keyId = await installation.serving();
  const good = await readFile(installation.configPath, "utf8");
  // ELOOP, because EACCES does not stop a test that runs as root.
  await rm(installation.configPath);
  await symlink("claviger.yaml", installation.configPath);
  await plugin.line(/ERROR plugin: the configuration stays as it was: .*ELOOP/);
  expect(await installation.serving()).toBe(keyId);
  await rm(installation.configPath);
  await writeFile(installation.configPath, good);
  await installation.configure(withSecond);
  await installation.serving("second");
});

it("a socket that cannot be removed with its provider is logged, and later changes are taken up", async () => {
  await using installation = await Installation.create(withSecond);
  const plugin = await started(installation);
  await installation.serving("second");
  // A folder at the path, because a file that may not be removed does not stop a test that runs as root.
  await putFolderAt(installation.socket("second"));
  await installation.configure(withoutSecond);
  await plugin.line(/ERROR plugin: provider second: its socket .*second\.sock could not be removed: /);
  await installation.serving();
  await rm(installation.socket("second"), { recursive: true });
  await installation.configure(withSecond);
  await installation.serving("second");
});

it("a stop where a socket cannot be removed ends all the same, and removes the others", async () => {
  await using installation = await Installation.create(withSecond);
  const plugin = await started(installation);
  await installation.serving("second");
  await putFolderAt(installation.socket());
  expect(await plugin.process.stop()).toEqual({ code: 0, signal: null });
  expect(await plugin.text()).toMatch(/ERROR plugin: provider secrets: its socket .* could not be removed: /);
  expect(existsSync(installation.socket("second"))).toBe(false);
});

it("an added provider whose socket another process has is logged once, disturbs nobody, and is served when the socket is free", async () => {
  await using installation = await Installation.create();
  const plugin = await started(installation);
  const keyId = await installation.serving();
  const foreign = createServer((socket) => socket.destroy());
  foreign.listen(installation.socket("second"));
  await once(foreign, "listening");
  await installation.configure(withSecond);
  await plugin.line(/ERROR plugin: provider second: another process serves .*second\.sock: stop it first/);
  expect(await installation.serving()).toBe(keyId);
  expect(foreign.listening).toBe(true);
  // It retries every second: a later message of another kind shows that it has.
  await eventually("it was tried again", async () => (await probesOf(foreign)) >= 3);
  expect((await plugin.text()).match(/provider second: another process serves/g)).toHaveLength(1);
  foreign.close();
  await once(foreign, "close");
  await installation.serving("second");
});

it("a provider that waits for its socket gets it also while the file is broken, which is logged once", async () => {
  await using installation = await Installation.create();
  const plugin = await started(installation);
  const foreign = createServer((socket) => socket.destroy());
  foreign.listen(installation.socket("second"));
  await once(foreign, "listening");
  await installation.configure(withSecond);
  await plugin.line(/ERROR plugin: provider second: another process serves .*second\.sock: stop it first/);
  await installation.replace(installation.configPath, "providers: [");
  await plugin.line(/ERROR plugin: the configuration stays as it was: /);
  foreign.close();
  await once(foreign, "close");
  await installation.serving("second");
  expect((await plugin.text()).match(/the configuration stays as it was/g)).toHaveLength(1);
});

/**
 * Puts a folder in a socket's place. The plugin, which creates a removed socket again, may be faster; then
 * this is repeated.
 */
const putFolderAt = (path: string): Promise<true> =>
  eventually(`a folder lies at ${path}`, async () => {
    await rm(path, { force: true });
    await mkdir(path);
    return true;
  });

const probes = new WeakMap<object, number>();

/** Counts connections from the first call on. */
async function probesOf(server: ReturnType<typeof createServer>): Promise<number> {
  if (!probes.has(server)) {
    probes.set(server, 0);
    server.on("connection", () => probes.set(server, (probes.get(server) ?? 0) + 1));
  }
  return probes.get(server) ?? 0;
}
