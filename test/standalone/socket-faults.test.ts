import { execFileSync } from "node:child_process";
import { once } from "node:events";
import { existsSync, readdirSync } from "node:fs";
import { chmod, chown, mkdir, readFile, rename, rm, stat, writeFile } from "node:fs/promises";
import { connect, createServer } from "node:net";
import { join } from "node:path";
import { describe, expect, it, vi } from "vitest";
import { eventually } from "../controlplane/wait.ts";
import { expectServes, failing, prepare } from "./faults.ts";
import { Installation, masterKey, type Run } from "./installation.ts";
import { RawCall } from "./raw-call.ts";

describe("a socket path", () => {
  it("that another plugin serves is left to it: the second says so in one line and ends with code 1", async () => {
    await using installation = await Installation.create();
    const prepared = await prepare(installation);
    const first = await installation.start("plugin");
    await installation.serving();
    for (let round = 0; round < 3; round++) {
      const { code, stdout, stderr } = await installation.runWithConfig("plugin");
      expect({ code, stdout, stderr }).toEqual({
        code: 1,
        stdout: "",
        stderr: `claviger: another claviger plugin serves ${installation.socket()}: stop it first\n`,
      });
    }
    await expectServes(installation, prepared);
    expect(first.process.alive).toBe(true);
  });

  it("with the stale socket of a killed plugin is taken over", async () => {
    await using installation = await Installation.create();
    const prepared = await prepare(installation);
    for (let round = 0; round < 4; round++) {
      const plugin = await installation.start("plugin");
      expect(await installation.serving()).toBe(prepared.keyId);
      await expectServes(installation, prepared);
      await plugin.process.kill9();
      expect(existsSync(installation.socket())).toBe(true);
    }
  });

  it("whose socket somebody removes, its folder too, gets another one, and no connection ends", async () => {
    await using installation = await Installation.create();
    const prepared = await prepare(installation);
    const plugin = await installation.start("plugin");
    await installation.serving();
    using open = await RawCall.open(installation.socket(), "/v2.KeyManagementService/Status");
    const disturbed = vi.fn();
    open.goaway.then(disturbed, () => undefined);
    for (const path of [installation.socket(), installation.runDir]) {
      // The plugin may create its socket again while the folder is being removed.
      await eventually(`${path} is removed`, async () => {
        await rm(path, { recursive: true, force: true });
        return true;
      });
      expect(await installation.serving()).toBe(prepared.keyId);
      expect((await stat(installation.runDir)).mode & 0o777).toBe(0o700);
      expect((await stat(installation.socket())).mode & 0o777).toBe(0o700);
    }
    await plugin.line(
      /WARN +plugin: provider secrets: its socket .*secrets\.sock was removed and is created again/,
    );
    expect((await open.finish(Buffer.alloc(0))).status).toBe("0");
    expect(disturbed).not.toHaveBeenCalled();
    expect(await failing(installation, "plugin")).toMatch(
      /another (claviger plugin|process) serves .*: stop it first/,
    );
    expect(await plugin.process.stop()).toEqual({ code: 0, signal: null });
    expect(existsSync(installation.socket())).toBe(false);
  });

  it("whose folder is put back open to others has no socket in it until it is closed, which is said once", async () => {
    await using installation = await Installation.create();
    const prepared = await prepare(installation);
    const plugin = await installation.start("plugin");
    await installation.serving();
    await rename(installation.runDir, `${installation.runDir}.away`);
    await chmod(`${installation.runDir}.away`, 0o755);
    await rm(join(`${installation.runDir}.away`, "secrets.sock"));
    await eventually("the open folder is in its place", async () => {
      await rm(installation.runDir, { recursive: true, force: true });
      await rename(`${installation.runDir}.away`, installation.runDir);
      return true;
    });
    await plugin.line(
      /ERROR plugin: provider secrets: its socket .* was removed and cannot be created again: .*is open to others/,
    );
    await chmod(installation.runDir, 0o700);
    expect(await installation.serving()).toBe(prepared.keyId);
    expect((await plugin.text()).match(/cannot be created again/g)).toHaveLength(1);
  });

  it("on which a foreign process listens is not taken from it", async () => {
    await using installation = await Installation.create();
    const prepared = await prepare(installation);
    // The plugin only checks if somebody answers, and may hang up before the greeting is complete.
    const foreign = createServer((socket) => socket.on("error", () => undefined).end("still here"));
    foreign.listen(installation.socket());
    await once(foreign, "listening");
    try {
      expect(await failing(installation, "plugin")).toBe(
        `claviger: another process serves ${installation.socket()}: stop it first`,
      );
      const caller = connect(installation.socket());
      const [greeting] = await once(caller, "data");
      expect(String(greeting)).toBe("still here");
      caller.destroy();
    } finally {
      foreign.close();
      await once(foreign, "close");
    }
    await installation.start("plugin");
    await installation.serving();
    await expectServes(installation, prepared);
  });

  it.each([
    { what: "a file", make: (path: string) => writeFile(path, "mine") },
    { what: "a folder", make: (path: string) => mkdir(path) },
  ])("at which $what lies is refused, and it is not removed", async ({ make }) => {
    await using installation = await Installation.create();
    await prepare(installation);
    await make(installation.socket());
    const before = await stat(installation.socket());
    expect(await failing(installation, "plugin")).toBe(
      `claviger: ${installation.socket()} exists and is not a socket: move it away or choose another path`,
    );
    expect((await stat(installation.socket())).ino).toBe(before.ino);
  });

  it("in a folder that is open to others is refused with the command that closes it", async () => {
    await using installation = await Installation.create();
    const prepared = await prepare(installation);
    for (const mode of [0o755, 0o711, 0o770]) {
      await chmod(installation.runDir, mode);
      expect(await failing(installation, "plugin")).toBe(
        `claviger: socket folder ${installation.runDir} has mode 0${mode.toString(8)} and is open to others:` +
          ` run chmod 700 ${installation.runDir}, or choose a folder of the socket's own`,
      );
    }
    await chmod(installation.runDir, 0o700);
    await installation.start("plugin");
    expect(await installation.serving()).toBe(prepared.keyId);
  });

  it.runIf(process.getuid?.() === 0)(
    "in a folder that another user comes to own: the running plugin serves on, and neither starts nor makes its socket again there",
    async () => {
      await using installation = await Installation.create();
      const prepared = await prepare(installation);
      const plugin = await installation.start("plugin");
      await installation.serving();
      // Others may pass through the folder above.
      await chmod(installation.dir, 0o711);
      await chown(installation.runDir, 65_534, 65_534);
      await expectServes(installation, prepared);
      // Acts as that user, who may do so in their own folder. The socket that they create there receives no
      // seed.
      execFileSync("rm", [installation.socket()], { uid: 65_534, gid: 65_534 });
      await plugin.line(
        /ERROR plugin: provider secrets: its socket .* cannot be created again: socket folder .*: folder .*run \(mode 0700\) belongs to user 65534, who can replace what lies in it; run: chown -h 0 /,
      );
      expect(existsSync(installation.socket())).toBe(false);
      expect(plugin.process.alive).toBe(true);
      await chown(installation.runDir, 0, 0);
      expect(await installation.serving()).toBe(prepared.keyId);
      await plugin.process.stop();

      await chown(installation.runDir, 65_534, 65_534);
      expect(await failing(installation, "plugin")).toMatch(/belongs to user 65534/);
      await chown(installation.runDir, 0, 0);
      await chmod(installation.dir, 0o777);
      expect(await failing(installation, "plugin")).toMatch(
        /has mode 0777, and others can replace what lies in it; run: chmod go-w /,
      );
    },
  );

  it.runIf(process.getuid?.() === 0)(
    "of an unprivileged user, in folders of root and of that user, is served",
    async () => {
      await using installation = await Installation.create();
      execFileSync("chown", ["-R", "65534:65534", installation.dir]);
      const run = await installation.startAs(
        ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", process.execPath],
        "serve",
      );
      await run.line(/provider secrets listens/);
      await installation.serving();
    },
  );

  it("that is longer than the system allows is refused with its length", async () => {
    const name = "s".repeat(110);
    await using installation = await Installation.create((config) => ({
      ...config,
      providers: config.providers.map((provider) => ({ ...provider, socket: `./run/${name}` })),
    }));
    expect(await failing(installation, "plugin")).toMatch(
      /socket path .*s{110} has \d+ bytes and the system allows 107: choose a shorter one/,
    );
  });

  it("that five plugins want at the same moment, with a stale socket on it, goes to exactly one", async () => {
    await using installation = await Installation.create();
    const prepared = await prepare(installation);
    for (let round = 0; round < 6; round++) {
      const plugins = await Promise.all(Array.from({ length: 5 }, () => installation.start("plugin")));
      const alive = () => plugins.filter(({ process: running }) => running.alive);
      await eventually("four have ended", async () => alive().length <= 1);
      const [winner] = alive();
      expect(winner, await complaints(plugins)).toBeDefined();
      for (const plugin of plugins) {
        if (plugin === winner) continue;
        expect(await plugin.process.exited).toEqual({ code: 1, signal: null });
        expect(await plugin.text()).toMatch(
          /claviger: another (claviger plugin|process) serves .*: stop it first/,
        );
      }
      expect(await installation.serving()).toBe(prepared.keyId);
      await expectServes(installation, prepared);
      await winner?.process.kill9();
    }
  });
});

const complaints = async (runs: readonly Run[]): Promise<string> =>
  (await Promise.all(runs.map((run) => run.text()))).join("");

describe("a state folder", () => {
  it("that an operator uses is refused to a second one in one line, and the first is not disturbed", async () => {
    await using installation = await Installation.create();
    const first = await installation.start("operator");
    await first.line(/version 1 is current/);
    for (let round = 0; round < 3; round++) {
      expect(await failing(installation, "operator")).toBe(
        `claviger: another claviger operator is using ${installation.stateDir}: stop it, or give this one a stateDir of its own`,
      );
    }
    await installation.manifest("later.yaml", masterKey("later"));
    await first.line(/MasterKey claviger-system\/later: version 1 is current/);
    expect(await first.process.stop()).toEqual({ code: 0, signal: null });
  });

  it("that five operators want at the same first moment goes to one, with one root key and one version", async () => {
    for (let round = 0; round < 3; round++) {
      await using installation = await Installation.create();
      const operators = await Promise.all(Array.from({ length: 5 }, () => installation.start("operator")));
      const alive = () => operators.filter(({ process: running }) => running.alive);
      await eventually("four have ended", async () => alive().length <= 1);
      expect(alive(), await complaints(operators)).toHaveLength(1);
      await alive()[0]?.line(/version 1 is current/);
      expect((await readFile(installation.rootKeyPath)).length).toBe(32);
      expect(readdirSync(installation.stateDir).filter((name) => name.startsWith("root.key"))).toEqual([
        "root.key",
      ]);
      await installation.start("plugin");
      await installation.serving();
    }
  });
});
