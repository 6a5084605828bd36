import { randomBytes } from "node:crypto";
import { existsSync } from "node:fs";
import { stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { parse } from "yaml";
import { eventually } from "../controlplane/wait.ts";
import { childrenOf, claviger, Installation, isRunning, masterKey } from "./installation.ts";
import { encryptSeed, expectOpens } from "./kms.ts";
import { RawCall } from "./raw-call.ts";

/** Returns the operator that is a child of a `serve`. Waits until it exists. */
const operatorOf = (pid: number): Promise<number> =>
  eventually("the operator runs", async () => (await childrenOf(pid))[0]);

const ended = (pid: number): Promise<true> =>
  eventually(`process ${pid} has ended`, async () => !(await isRunning(pid)));

describe("claviger serve", () => {
  it("tells the socket, the key, its key_id, an EncryptionConfiguration and that a round trip worked", async () => {
    await using installation = await Installation.create();
    const serve = await installation.start("serve");
    const text = await eventually("the introduction is complete", async () => {
      const now = await serve.text();
      return /resources: \[secrets\][\s\S]*identity: \{\}\n/.test(now) && now;
    });
    const keyId = await installation.serving();
    expect(text).toMatch(new RegExp(`^ +socket +${installation.socket()}$`, "m"));
    expect(text).toMatch(/^ +key +claviger-system\/secrets$/m);
    expect(text).toMatch(new RegExp(`^ +key_id +${keyId}$`, "m"));
    expect(text).toMatch(/^ +round trip +ok: 32 bytes encrypted to \d+ and back over the socket/m);
    const configuration: unknown = parse(/^ {2}apiVersion: apiserver[\s\S]*?\n\n/m.exec(text)?.[0] ?? "");
    expect(configuration).toMatchObject({
      apiVersion: "apiserver.config.k8s.io/v1",
      kind: "EncryptionConfiguration",
      resources: [
        { resources: ["*.kms.claviger.dev"], providers: [{ identity: {} }] },
        {
          resources: ["secrets"],
          providers: [
            {
              kms: {
                apiVersion: "v2",
                name: "secrets",
                endpoint: `unix://${installation.socket()}`,
                timeout: "3s",
              },
            },
            { identity: {} },
          ],
        },
      ],
    });
  });

  it("answers another process: Status, then Encrypt under the same key_id, then Decrypt", async () => {
    await using installation = await Installation.create();
    await installation.start("serve");
    const keyId = await installation.serving();
    const client = installation.client();
    expect(await client.status()).toEqual({ version: "v2", healthz: "ok", key_id: keyId });
    const sealed = await encryptSeed(client, randomBytes(32));
    expect(sealed.key_id).toBe(keyId);
    await expectOpens(client, sealed);
  });

  it("keeps folder, socket, keyring and root key closed to others", async () => {
    await using installation = await Installation.create();
    await installation.start("serve");
    await installation.serving();
    const { runDir, stateDir, keyringPath, rootKeyPath } = installation;
    for (const path of [runDir, stateDir, keyringPath, rootKeyPath, installation.socket()]) {
      expect((await stat(path)).mode & 0o077, path).toBe(0);
    }
  });

  it("killed, leaves an operator that ends by itself, and the next one opens what was encrypted before", async () => {
    await using installation = await Installation.create();
    const first = await installation.start("serve");
    const keyId = await installation.serving();
    const sealed = await encryptSeed(installation.client(), randomBytes(32));
    const operator = await operatorOf(first.process.pid);
    await first.process.kill9();
    await ended(operator);
    expect(await first.text()).toMatch(/operator: this operator stops: the serve that started it has ended/);
    expect(existsSync(installation.socket())).toBe(true);

    await installation.start("serve");
    expect(await installation.serving()).toBe(keyId);
    await expectOpens(installation.client(), sealed);
  });

  it("killed together with its operator at any moment of the first start, never changes a key_id that it has served", async () => {
    await using installation = await Installation.create();
    const served = new Set<string>();
    for (let round = 0; round < 6; round++) {
      const serve = await installation.start("serve");
      const operator = await operatorOf(serve.process.pid);
      // Later in each round: before the keyring exists, while it is created, after it served.
      if (round > 0) await serve.line(/listens/);
      if (round > 1) await eventually("there is a keyring", async () => existsSync(installation.keyringPath));
      if (round > 2) served.add(await installation.serving());
      process.kill(operator, "SIGKILL");
      await serve.process.kill9();
      await ended(operator);
    }
    expect(served.size).toBe(1);
  });

  it("starts a killed operator again, and the socket answers meanwhile", async () => {
    await using installation = await Installation.create();
    const serve = await installation.start("serve");
    await installation.serving();
    const client = installation.client();
    const sealed = await encryptSeed(client, randomBytes(32));
    const operator = await operatorOf(serve.process.pid);
    process.kill(operator, "SIGKILL");
    await serve.line(
      /the operator ended \(SIGKILL\) and is started again in [\d.]+ s; the sockets continue to serve/,
    );
    // Collected, because a probe that throws is retried.
    const failures: unknown[] = [];
    const answers = async () => {
      await expectOpens(client, sealed);
      expect((await client.status()).key_id).toBe(sealed.key_id);
    };
    await eventually("another operator runs", async () => {
      await answers().catch((error: unknown) => failures.push(error));
      return (await childrenOf(serve.process.pid)).find((pid) => pid !== operator);
    });
    expect(failures).toEqual([]);
    await installation.manifest("later.yaml", masterKey("later"));
    await serve.line(/MasterKey claviger-system\/later: .*version 1/);
  });

  it("finishes calls in flight at SIGTERM, then ends with code 0, its operator and its socket gone", async () => {
    await using installation = await Installation.create();
    const serve = await installation.start("serve");
    await installation.serving();
    const operator = await operatorOf(serve.process.pid);
    using call = await RawCall.open(installation.socket(), "/v2.KeyManagementService/Status");
    using idle = await RawCall.open(installation.socket(), "/v2.KeyManagementService/Status");
    await idle.finish(Buffer.alloc(0));
    const stopped = serve.process.stop();
    await call.goaway;
    expect((await call.finish(Buffer.alloc(0))).status).toBe("0");
    expect(await stopped).toEqual({ code: 0, signal: null });
    await ended(operator);
    expect(existsSync(installation.socket())).toBe(false);
    const text = await serve.text();
    expect(text).not.toMatch(/ERROR|WARN/);
    for (const process_ of ["plugin", "operator"]) {
      const said = [...text.matchAll(new RegExp(`INFO +${process_}: (.*stop.*)`, "g"))].map(
        ([, line]) => line,
      );
      expect(said).toEqual([`this ${process_} stops: received SIGTERM`, `this ${process_} has stopped`]);
    }
  });

  it("ends an operator by force that does not end, and ends with code 0 itself", async () => {
    await using installation = await Installation.create();
    const serve = await installation.start("serve");
    await installation.serving();
    const operator = await operatorOf(serve.process.pid);
    process.kill(operator, "SIGSTOP");
    expect(await serve.process.stop(60_000)).toEqual({ code: 0, signal: null });
    await ended(operator);
    expect(await serve.text()).toMatch(/WARN +serve: the operator did not end within [\d.]+ s and is killed/);
  });

  it("ends with code 0 at SIGTERM before it has a key, and at SIGINT", async () => {
    await using installation = await Installation.create();
    await installation.manifest("secrets.yaml", masterKey("another"));
    const waiting = await installation.start("serve");
    await waiting.line(/listens/);
    expect(await waiting.process.stop()).toEqual({ code: 0, signal: null });
    const interrupted = await installation.start("serve");
    await interrupted.line(/listens/);
    process.kill(interrupted.process.pid, "SIGINT");
    expect(await interrupted.process.exited).toEqual({ code: 0, signal: null });
  });

  it("tells why there is no key yet where the manifests have none of that name", async () => {
    await using installation = await Installation.create();
    await installation.manifest("secrets.yaml", masterKey("another"));
    const serve = await installation.start("serve");
    await serve.line(
      /^Provider secrets has no key to serve yet: MasterKey claviger-system\/secrets is not in the keyring/,
    );
    await installation.manifest("secrets.yaml", masterKey("secrets"));
    await serve.line(/round trip +ok/);
  });

  it("says so in one line and ends with code 1 beside one that runs, which is not disturbed", async () => {
    await using installation = await Installation.create();
    const first = await installation.start("serve");
    const keyId = await installation.serving();
    const client = installation.client();
    const sealed = await encryptSeed(client, randomBytes(32));
    const operator = await operatorOf(first.process.pid);
    for (let round = 0; round < 3; round++) {
      const second = await installation.runWithConfig("serve");
      expect(second.code).toBe(1);
      expect(second.stdout).toBe("");
      expect(second.stderr).toBe(
        `claviger: another claviger plugin serves ${installation.socket()}: stop it first\n`,
      );
    }
    await expectOpens(client, sealed);
    expect((await client.status()).key_id).toBe(keyId);
    expect(await childrenOf(first.process.pid)).toEqual([operator]);
    expect(await first.text()).not.toMatch(/ERROR|WARN/);
  });

  it("goes on with its sockets and says why where another operator has the state folder", async () => {
    await using installation = await Installation.create();
    const operator = await installation.start("operator");
    await eventually("the operator has made a keyring", async () => existsSync(installation.keyringPath));
    const serve = await installation.start("serve");
    await serve.line(
      /^claviger: another claviger operator is using .*\/state: stop it, or give this one a stateDir of its own$/,
    );
    await serve.line(/the operator ended \(exit code 1\) and is started again/);
    await installation.serving();
    expect(operator.process.alive).toBe(true);
  });
});

describe("the command line", () => {
  const oneLine = /^claviger: [^\n]+\n$/;

  it.each([
    { args: ["serve", "--config"], says: /--config/ },
    { args: ["serve", "--confg", "x.yaml"], says: /--confg/ },
    { args: ["serve", "x.yaml"], says: /x\.yaml/ },
    { args: ["status", "--config", "x.yaml", "-o", "table"], says: /-o takes json, yaml or wide/ },
    { args: ["sreve"], says: /there is no command "sreve" \(did you mean serve\?\); see claviger help/ },
    { args: ["constructor"], says: /there is no command "constructor"/ },
  ])("$args is wrong usage: one line and exit code 2", async ({ args, says }) => {
    const { code, stdout, stderr } = await claviger(args);
    expect({ code, stdout }).toEqual({ code: 2, stdout: "" });
    expect(stderr).toMatch(oneLine);
    expect(stderr).toMatch(says);
  });

  it.each(["serve", "plugin", "operator", "status", "census"])(
    "%s with a bad configuration fails with one line that names file and field",
    async (command) => {
      await using installation = await Installation.create();
      await writeFile(
        installation.configPath,
        "apiVersion: config.claviger.dev/v1alpha1\nkind: NodeConfig\n",
      );
      const bad = await installation.runWithConfig(command);
      expect({ code: bad.code, stdout: bad.stdout }).toEqual({ code: 1, stdout: "" });
      expect(bad.stderr).toMatch(oneLine);
      expect(bad.stderr).toContain(installation.configPath);
      expect(bad.stderr).toContain("stateDir");
      const absent = await installation.run(command, "--config", join(installation.dir, "no.yaml"));
      expect({ code: absent.code, stdout: absent.stdout }).toEqual({ code: 1, stdout: "" });
      expect(absent.stderr).toMatch(oneLine);
      expect(absent.stderr).toContain("no.yaml cannot be read");
    },
  );

  it("help lists every command, and each tells its usage, with exit code 0", async () => {
    const { code, stdout, stderr } = await claviger(["help"]);
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    for (const command of ["serve", "plugin", "operator", "status", "census"]) {
      const usage = new RegExp(`^ *claviger ${command} .*\\[--config FILE`, "m");
      expect(stdout).toMatch(usage);
      const own = await claviger([command, "--help"]);
      expect(own).toMatchObject({ code: 0, stderr: "" });
      expect(own.stdout).toMatch(usage);
    }
  });
});

describe("claviger status", () => {
  it("shows the key and what its socket answers, as a table and as JSON", async () => {
    await using installation = await Installation.create();
    await installation.start("serve");
    const keyId = await installation.serving();
    const asJson = await installation.runWithConfig("status", "-o", "json");
    expect(asJson).toMatchObject({ code: 0, stderr: "" });
    expect(JSON.parse(asJson.stdout)).toMatchObject({
      providers: [
        {
          name: "secrets",
          socket: installation.socket(),
          serves: "claviger-system/secrets",
          status: "ok",
          kmsKeyId: keyId,
        },
      ],
      keys: [{ key: "claviger-system/secrets", enabled: true, currentVersion: 1, kmsKeyId: keyId }],
    });
    const asTable = await installation.runWithConfig("status", "-o", "wide");
    expect(asTable).toMatchObject({ code: 0, stderr: "" });
    expect(asTable.stdout).toMatch(
      new RegExp(`^secrets +- +claviger-system/secrets v1 +${keyId} .*ok$`, "m"),
    );
  });

  it("shows what the keyring has and ends with code 1 where no plugin serves", async () => {
    await using installation = await Installation.create();
    const serve = await installation.start("serve");
    await installation.serving();
    await serve.process.stop();
    const { code, stdout, stderr } = await installation.runWithConfig("status", "-o", "json");
    expect({ code, stderr }).toEqual({ code: 1, stderr: "claviger: not serving: secrets\n" });
    expect(JSON.parse(stdout)).toMatchObject({ keys: [{ key: "claviger-system/secrets", enabled: true }] });
  });

  it("says in one line that there is no keyring yet", async () => {
    await using installation = await Installation.create();
    const { code, stderr } = await installation.runWithConfig("status");
    expect(code).toBe(1);
    expect(stderr).toMatch(
      /^claviger: there is no keyring .*keyring\.db yet: start the operator of this node\n$/,
    );
  });
});
