import { execFileSync } from "node:child_process";
import { getEventListeners } from "node:events";
import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { ClientRequest, type ServerResponse } from "node:http";
import type { Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { rootCertificates } from "node:tls";
import { inspect } from "node:util";
import { afterAll, beforeAll, beforeEach, describe, expect, onTestFinished, test, vi } from "vitest";
import { type Call, FakeApiServer, json, object, watch } from "../testing/fake-api-server.ts";
import { KubeClient, LIKE_KUBECTL } from "./client.ts";

let server: FakeApiServer;
let folder: string;
beforeAll(async () => {
  server = await FakeApiServer.start();
});
afterAll(() => server.stop());
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "claviger-client-"));
  return () => rmSync(folder, { recursive: true, force: true });
});

const path = (name: string) => join(folder, name);
const CREDENTIAL = JSON.stringify({
  apiVersion: "client.authentication.k8s.io/v1",
  kind: "ExecCredential",
  status: { token: "from-the-plugin" },
});

/** Writes a kubeconfig whose credentials come from a shell script. */
function withPlugin(script: string, exec: object = {}): string {
  writeFileSync(path("plugin"), `#!/bin/sh\n${script}\n`);
  chmodSync(path("plugin"), 0o755);
  return withUser({
    exec: { apiVersion: "client.authentication.k8s.io/v1", command: path("plugin"), ...exec },
  });
}

function withUser(user: object): string {
  const config = JSON.parse(readFileSync(server.kubeconfig, "utf8"));
  writeFileSync(path("kubeconfig"), JSON.stringify({ ...config, users: [{ name: "fake", user }] }));
  return path("kubeconfig");
}

/** Answers every call, and records the credentials of each. */
function answering(): (string | undefined)[] {
  const seen: (string | undefined)[] = [];
  server.script(
    [
      (call) => {
        seen.push(call.response.req.headers.authorization);
        json({})(call);
      },
    ],
    [],
  );
  return seen;
}

const get = (client: KubeClient, signal?: AbortSignal) =>
  client.request({ method: "GET", path: server.path, ...(signal && { signal }) });
const eventually = (check: () => void) => vi.waitFor(check, { timeout: 60_000, interval: 5 });
/** The id 0 would mean this process's own group: the script was killed before it wrote its id. */
const isRunning = (pid: number): boolean => {
  try {
    if (pid === 0) return false;
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
};
const HANGS = () => `echo $$ > ${path("pid")}; exec sleep 1000`;
const pid = () => Number(readFileSync(path("pid"), "utf8"));
const hasPid = () => existsSync(path("pid")) && pid() > 0;

describe("credentials from a plugin", () => {
  test("are used, and the plugin is told which version of its protocol is spoken", async () => {
    const seen = answering();
    const script = `echo "$KUBERNETES_EXEC_INFO $MORE" > ${path("info")}; echo '${CREDENTIAL}'`;
    const kubeconfig = withPlugin(script, { env: [{ name: "MORE", value: "and more" }] });
    await get(new KubeClient(kubeconfig));
    expect(seen).toEqual(["Bearer from-the-plugin"]);
    expect(readFileSync(path("info"), "utf8")).toBe(
      '{"apiVersion":"client.authentication.k8s.io/v1","kind":"ExecCredential","spec":{"interactive":false}} and more\n',
    );
  });

  test("a command beside the kubeconfig => is found by its relative path", async () => {
    const seen = answering();
    await get(new KubeClient(withPlugin(`echo '${CREDENTIAL}'`, { command: "./plugin" })));
    expect(seen).toHaveLength(1);
  });

  test("a plugin that hangs => the call ends by the deadline and says so, and the plugin is ended", async () => {
    answering();
    const client = new KubeClient(withPlugin(HANGS()), { credentialMilliseconds: 500 });
    await expect(get(client)).rejects.toThrow(
      /^the credentials of kubeconfig .+ cannot be loaded: .+plugin: none came within 0\.5 s$/,
    );
    if (hasPid()) await eventually(() => expect(isRunning(pid())).toBe(false));
  });

  test("what a plugin started => is ended with it", async () => {
    answering();
    const script = `sh -c 'echo $$ > ${path("pid")}; exec sleep 1000' & wait`;
    const kubeconfig = withPlugin(script);
    // The script must have started something before it is killed, so a slow machine gets more time.
    for (const seconds of [1, 5, 25]) {
      const client = new KubeClient(kubeconfig, { credentialMilliseconds: seconds * 1000 });
      await expect(get(client)).rejects.toThrow(`none came within ${seconds} s`);
      if (hasPid()) break;
    }
    expect(pid()).toBeGreaterThan(0);
    await eventually(() => expect(isRunning(pid())).toBe(false));
  });

  test("a plugin that has ended and left something running => its credential is used", async () => {
    const seen = answering();
    await get(new KubeClient(withPlugin(`sleep 60 & echo '${CREDENTIAL}'`)));
    expect(seen).toEqual(["Bearer from-the-plugin"]);
  });

  test("a call that is aborted meanwhile => ends at once, and the plugin is ended when no other waits", async () => {
    answering();
    const client = new KubeClient(withPlugin(HANGS()));
    const [first, second] = [new AbortController(), new AbortController()];
    const calls = [get(client, first.signal), get(client, second.signal)].map((call) =>
      call.then(
        () => "answered",
        (error) => String(error.message),
      ),
    );
    await eventually(() => expect(pid()).toBeGreaterThan(0));
    first.abort(new Error("no longer wanted"));
    expect(await calls[0]).toContain("no longer wanted");
    expect(isRunning(pid())).toBe(true);
    second.abort(new Error("nor this"));
    expect(await calls[1]).toContain("nor this");
    await eventually(() => expect(isRunning(pid())).toBe(false));
  });

  test("many calls at once => the plugin runs once", async () => {
    const seen = answering();
    const client = new KubeClient(withPlugin(`echo x >> ${path("runs")}; echo '${CREDENTIAL}'`));
    await Promise.all([get(client), get(client), get(client)]);
    expect(seen).toHaveLength(3);
    expect(readFileSync(path("runs"), "utf8")).toBe("x\n");
  });

  test("a plugin that failed => is run again by the next call", async () => {
    const seen = answering();
    const script = `[ -e ${path("ok")} ] || { touch ${path("ok")}; echo 'log in first' >&2; exit 3; }; echo '${CREDENTIAL}'`;
    const client = new KubeClient(withPlugin(script));
    await expect(get(client)).rejects.toThrow(/plugin ended with code 3: log in first$/);
    await get(client);
    expect(seen).toHaveLength(1);
  });

  test.each([
    ["says nothing", "true", /printed no ExecCredential with a token or a certificate/],
    ["says something else", "echo secret-but-no-json", /printed no ExecCredential/],
  ])("a plugin that %s => is named, and its output is not shown", async (_, script, expected) => {
    const failed = await get(new KubeClient(withPlugin(script))).catch((error: Error) => error.message);
    expect(failed).toMatch(expected);
    expect(failed).not.toContain("secret");
  });

  test("a plugin that is not there => is named", async () => {
    const client = new KubeClient(withPlugin("", { command: path("none") }));
    await expect(get(client)).rejects.toThrow(/none cannot be run: .*ENOENT/);
  });
});

test("a kubeconfig that is broken => the fault and its place, and nothing of what stands around it", async () => {
  const canary = "token-canary-0123456789";
  const text = `apiVersion: v1\nusers:\n- name: a\n  user:\n    token: ${canary}\n   wrong: ${canary}\nclusters: []\n`;
  writeFileSync(path("kubeconfig"), text);
  const failure = await get(new KubeClient(path("kubeconfig"))).catch((error: unknown) => error);
  expect(String(failure)).toMatch(/kubeconfig .+ cannot be used: line \d+, column \d+ is not YAML$/);
  expect(inspect(failure, { depth: 9 })).not.toContain("canary");
});

describe("credentials from a token file", () => {
  test("the file is gone for a moment => is said with the kubeconfig's name, and read again by the next call", async () => {
    const seen = answering();
    const client = new KubeClient(withUser({ token: "older", tokenFile: "token" }));
    await expect(get(client)).rejects.toThrow(
      /^the credentials of kubeconfig .+ cannot be loaded: .*ENOENT.+token/,
    );
    writeFileSync(path("token"), "from-the-file\n");
    await get(client);
    expect(seen).toEqual(["Bearer from-the-file"]);
  });

  test("a pipe into which nobody writes => the call fails at once and says so", async () => {
    answering();
    execFileSync("mkfifo", [path("token")]);
    await expect(get(new KubeClient(withUser({ tokenFile: "token" })))).rejects.toThrow(
      /cannot be loaded: .+token: it is a pipe and not a regular file$/,
    );
  });
});

describe("a path of a kubeconfig that leads to a pipe", () => {
  test("the kubeconfig itself => ConfigInvalid at once", async () => {
    execFileSync("mkfifo", [path("kubeconfig")]);
    await expect(get(new KubeClient(path("kubeconfig")))).rejects.toThrow(
      /kubeconfig .+ cannot be used: it is a pipe and not a regular file$/,
    );
  });
  test.each(["client-certificate", "client-key"])("%s => the call fails at once", async (field) => {
    execFileSync("mkfifo", [path("pem")]);
    const kubeconfig = withUser({ "client-certificate": "cert", "client-key": "key", [field]: "pem" });
    for (const name of ["cert", "key"]) writeFileSync(path(name), "not looked at");
    await expect(get(new KubeClient(kubeconfig))).rejects.toThrow(
      /cannot be loaded: .+pem: it is a pipe and not a regular file$/,
    );
  });
  test("certificate-authority => the call fails at once; a file beside the kubeconfig is trusted", async () => {
    answering();
    const config = JSON.parse(readFileSync(server.kubeconfig, "utf8"));
    const [{ cluster }] = config.clusters;
    const { "certificate-authority-data": ca, ...rest } = cluster;
    config.clusters[0].cluster = { ...rest, "certificate-authority": "ca.pem" };
    writeFileSync(path("kubeconfig"), JSON.stringify(config));
    execFileSync("mkfifo", [path("ca.pem")]);
    await expect(get(new KubeClient(path("kubeconfig")))).rejects.toThrow("ca.pem: it is a pipe");
    rmSync(path("ca.pem"));
    writeFileSync(path("ca.pem"), Buffer.from(ca, "base64"));
    await get(new KubeClient(path("kubeconfig")));
  });
});

test("an answer that is not JSON => is said without a word of it", async () => {
  server.script([({ response }) => response.end('{"token": canary-of-a-token}')], []);
  const failure = await get(new KubeClient(withUser({ token: "a" }))).catch((error: unknown) => error);
  expect(String(failure)).toMatch(/^ClavigerError: GET .+: the answer is not JSON/);
  expect(inspect(failure, { depth: 9 })).not.toContain("canary");
});

describe("watches, one after another on a connection that is kept", () => {
  const WATCHES = 12;
  /** Each watch ends by itself, as the server's watches do after some minutes. */
  async function watchAgain(client: KubeClient, signal: AbortSignal): Promise<void> {
    for (let count = 0; count < WATCHES; count += 1)
      for await (const _ of client.watch({ path: server.path, query: {}, seconds: 60, signal }));
  }

  test("leave nothing behind: no listener on the connection or the signal, and no warning", async () => {
    server.script([], [watch([["ADDED", object("a", 1)]], "end")]);
    const warnings: Error[] = [];
    const onWarning = (warning: Error) => warnings.push(warning);
    process.on("warning", onWarning);
    onTestFinished(() => void process.off("warning", onWarning));
    const sockets = new Map<Socket, number>();
    const used = vi.spyOn(ClientRequest.prototype, "onSocket");
    onTestFinished(() => used.mockRestore());
    const stop = new AbortController();
    await watchAgain(new KubeClient(withUser({ token: "a-token" })), stop.signal);
    for (const [socket] of used.mock.calls) sockets.set(socket, (sockets.get(socket) ?? 0) + 1);
    // Proves that watches did share a connection.
    expect(Math.max(...sockets.values())).toBe(WATCHES);
    for (const socket of sockets.keys()) expect(socket.listenerCount("timeout")).toBeLessThan(3);
    expect(getEventListeners(stop.signal, "abort")).toHaveLength(0);
    expect(warnings).toEqual([]);
  });
});

describe("connections", () => {
  /** Counts the calls by their source port. */
  function countingPorts(): Set<number | undefined> {
    const ports = new Set<number | undefined>();
    server.script(
      [
        (call) => {
          ports.add(call.response.req.socket.remotePort);
          json({})(call);
        },
      ],
      [],
    );
    return ports;
  }
  beforeEach(() => {
    vi.useFakeTimers({ toFake: ["Date"] });
    return () => vi.useRealTimers();
  });
  const aMinuteLater = () => vi.setSystemTime(Date.now() + 61_000);

  test("the credentials are read anew and are the same => the connection is kept", async () => {
    const ports = countingPorts();
    const client = new KubeClient(withUser({ token: "a-token" }));
    for (let call = 0; call < 3; call++) {
      await get(client);
      aMinuteLater();
    }
    expect(ports.size).toBe(1);
  });

  test("a call was not answered in time, as after a failover of the network => no connection of before is used", async () => {
    const dead = new Set<number | undefined>();
    const held: (() => void)[] = [];
    server.script(
      [
        (call) => {
          const port = call.response.req.socket.remotePort;
          // Two concurrent calls have a connection each, and from then on both connections are dead.
          if (dead.size < 2) {
            dead.add(port);
            held.push(() => json({})(call));
            if (held.length === 2) for (const answer of held) answer();
          } else if (!dead.has(port)) json({})(call);
        },
      ],
      [],
    );
    const client = new KubeClient(withUser({ token: "a-token" }), { answerMilliseconds: 3_000 });
    await Promise.all([get(client), get(client)]);
    await expect(get(client)).rejects.toThrow("no answer within 3 s");
    await get(client);
  });

  test.each<readonly [string, (client: KubeClient) => Promise<unknown>]>([
    ["an object", (client) => get(client)],
    ["the API server's clock", (client) => client.serverTime(new AbortController().signal)],
  ])(
    "an answer stops in the middle => asking for %s ends with an error, and does not wait for ever",
    async (_, ask) => {
      const own = await FakeApiServer.start();
      onTestFinished(() => own.stop());
      own.answer(({ response }) => {
        response.writeHead(200, { "content-type": "application/json" });
        response.write('{"gitVersion":');
      });
      const client = new KubeClient(own.kubeconfig, { callMilliseconds: 500 });
      await expect(ask(client)).rejects.toThrow("no answer in 0.5 s");
    },
  );

  test("the kubeconfig trusts another authority now => no connection of before is used", async () => {
    countingPorts();
    const kubeconfig = withUser({ token: "a-token" });
    const client = new KubeClient(kubeconfig);
    await get(client);
    const config = JSON.parse(readFileSync(kubeconfig, "utf8"));
    config.clusters[0].cluster["certificate-authority-data"] = Buffer.from(
      rootCertificates[0] ?? "",
    ).toString("base64");
    writeFileSync(kubeconfig, JSON.stringify(config));
    aMinuteLater();
    await expect(get(client)).rejects.toThrow(/certificate/);
  });
});

describe("a text that is read line by line", () => {
  const scan = async (answer: (response: ServerResponse) => void, maxBytes = 1_000_000) => {
    server.script([({ response }) => answer(response)], []);
    const client = new KubeClient(server.kubeconfig);
    onTestFinished(() => client.close());
    const lines: string[] = [];
    const signal = new AbortController().signal;
    const address = await client.scan({ path: server.path, maxBytes, signal }, (line) => lines.push(line));
    return { lines, address };
  };

  test("=> its lines, whole, and who sent it", async () => {
    const { lines, address } = await scan((response) => {
      response.write("a 1\nb");
      setTimeout(() => response.end(" 2\n\nc 3\n"), 50);
    });
    expect(lines).toEqual(["a 1", "b 2", "c 3"]);
    expect(address).toBe("127.0.0.1");
  });
  test.each<readonly [string, (response: ServerResponse) => void, RegExp]>([
    [
      "is longer than it may be",
      (response) => response.end("a 1\n".repeat(400_000)),
      /more than 1000000 bytes/,
    ],
    ["has a line without an end", (response) => response.end("a".repeat(600_000)), /a line of more than/],
    ["breaks off", (response) => void response.write("a 1\n", () => response.destroy()), /GET/],
    ["is refused", (response) => response.writeHead(403).end("{}"), /403/],
  ])("that %s => ApiServer, and nothing hangs", async (_, answer, message) => {
    await expect(scan(answer)).rejects.toMatchObject({
      code: "ApiServer",
      message: expect.stringMatching(message),
    });
  });
});

describe("429", () => {
  /** Answers this many calls with 429, and then all with 200. Returns how many calls there were. */
  const busyFor = (times: number, retryAfter?: string) => {
    let calls = 0;
    const answer = (call: Call) => {
      calls += 1;
      if (calls > times) return json({ items: [] })(call);
      if (retryAfter !== undefined) call.response.setHeader("retry-after", retryAfter);
      json({ kind: "Status", code: 429, message: "storage is (re)initializing" }, 429)(call);
    };
    server.script([answer], []);
    return () => calls;
  };

  test("with Retry-After, for a program that calls once => the call is made again after that time", async () => {
    const calls = busyFor(1, "1");
    const begun = performance.now();
    await expect(get(new KubeClient(server.kubeconfig, LIKE_KUBECTL))).resolves.toEqual({ items: [] });
    expect(performance.now() - begun).toBeGreaterThan(900);
    expect(calls()).toBe(2);
  });

  test("that lasts => is the error, after ten retries", async () => {
    const calls = busyFor(1_000, "0");
    await expect(get(new KubeClient(server.kubeconfig, LIKE_KUBECTL))).rejects.toThrow("(re)initializing");
    expect(calls()).toBe(11);
  });

  test("the caller gives up while it waits => the error is what the server said", async () => {
    const calls = busyFor(1_000, "20");
    const client = new KubeClient(server.kubeconfig, LIKE_KUBECTL);
    await expect(get(client, AbortSignal.timeout(300))).rejects.toThrow("(re)initializing");
    expect(calls()).toBe(1);
  });

  test.each([
    ["without Retry-After", undefined, LIKE_KUBECTL],
    ["with a Retry-After beyond the time of a call", "31", LIKE_KUBECTL],
    ["for a loop, which waits by itself", "0", {}],
  ])("%s => is the error at once", async (_, retryAfter, options) => {
    const calls = busyFor(1_000, retryAfter);
    await expect(get(new KubeClient(server.kubeconfig, options))).rejects.toThrow("(re)initializing");
    expect(calls()).toBe(1);
  });
});
