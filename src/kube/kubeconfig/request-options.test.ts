import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { beforeEach, describe, expect, onTestFinished, test } from "vitest";
import { FakeApiServer, failure } from "../../testing/fake-api-server.ts";
import { loadCredentials } from "./credentials.ts";
import { clusterOf, namespaceOf, readKubeconfig } from "./kubeconfig.ts";
import { optionsByClient } from "./options-by-client.ts";
import { requestOptions, usualOptions } from "./request-options.ts";

const ROOT = join(import.meta.dirname, "..", "..", "..");
const NEVER = new AbortController().signal;
const base64 = (text: string) => Buffer.from(text).toString("base64");

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "claviger-options-"));
  return () => rmSync(folder, { recursive: true, force: true });
});

interface Parts {
  readonly cluster?: object;
  readonly user?: object | null;
  readonly context?: object;
}

/** Writes a kubeconfig of one context, and returns its path. */
function kubeconfigOf({ cluster, user = {}, context = { user: "u" } }: Parts): string {
  const path = join(folder, "kubeconfig");
  const config = {
    "current-context": "c",
    clusters: [{ name: "k", cluster: { server: "https://10.0.0.1:6443/", ...cluster } }],
    users: [{ name: "u", user }],
    contexts: [{ name: "c", context: { cluster: "k", ...context } }],
  };
  writeFileSync(path, JSON.stringify(config), { mode: 0o600 });
  return path;
}

async function credentialsOf(parts: Parts) {
  const path = kubeconfigOf(parts);
  return loadCredentials(readKubeconfig(path), path, NEVER);
}

test.each<Parts>([
  {},
  { user: { token: "a-token" } },
  { user: { token: "" } },
  { user: { token: "older", tokenFile: "token" } },
  { user: { username: "eve", password: "p:ss" } },
  { user: { username: "eve", password: "p", token: "a-token" } },
  { user: { as: "mallory", "as-groups": ["a"], token: "a-token" } },
  { user: { "client-certificate-data": base64("cert"), "client-key-data": base64("key") } },
  { user: { "client-certificate": "pem", "client-key": "pem", "client-key-data": base64("other") } },
  { cluster: { "certificate-authority-data": base64("ca"), "tls-server-name": "kube" } },
  { cluster: { "certificate-authority": "pem", "certificate-authority-data": base64("other") } },
  { cluster: { "insecure-skip-tls-verify": true } },
  { cluster: { "insecure-skip-tls-verify": "true", "proxy-url": "", "tls-server-name": "" } },
])("%j => the options that the Kubernetes client makes of it", async (parts) => {
  writeFileSync(join(folder, "pem"), "from-the-file");
  writeFileSync(join(folder, "token"), "from-the-file\n");
  const credentials = await credentialsOf(parts);
  const { agent: _, ...theirs } = await optionsByClient(credentials);
  expect(usualOptions(credentials)).toEqual(theirs);
});

describe("a context without a user", () => {
  test.each<Parts>([{ context: {} }, { context: { user: "nobody" } }])(
    "%j => calls as nobody, and trusts the authority of the cluster",
    async (parts) => {
      const cluster = { "certificate-authority-data": base64("ca") };
      const options = await requestOptions(await credentialsOf({ cluster, ...parts }));
      expect(options).toEqual({ ca: Buffer.from("ca") });
    },
  );
  test.each([null, { exec: null }])("the user %j => has no credentials", async (user) => {
    expect(await requestOptions(await credentialsOf({ user }))).toEqual({ headers: {} });
  });
});

test("a proxy => the Kubernetes client's agent, which connects through it", async () => {
  const { agent } = await requestOptions(
    await credentialsOf({ cluster: { "proxy-url": "http://proxy:3128" } }),
  );
  expect(agent).toMatchObject({ proxy: { href: "http://proxy:3128/" } });
});

test("an auth-provider => its token, though not the user's own", async () => {
  const authProvider = { name: "gcp", config: { "access-token": "a-provider's" } };
  const { headers } = await requestOptions(await credentialsOf({ user: { "auth-provider": authProvider } }));
  expect(headers).toEqual({ Authorization: "Bearer a-provider's" });
});

test.each([
  ["", /it is not YAML$/],
  ["users: &a [*a]", /users\[0\]\.name is missing$/],
  ["clusters:\n- name: k", /clusters\[0\]\.cluster is missing$/],
  ["clusters:\n- name: k\n  cluster: {}", /clusters\[0\]\.cluster\.server is missing$/],
  ["contexts:\n- name: c\n  context: {}", /contexts\[0\]\.context\.cluster is missing$/],
  ["a: 1\na: canary", /line 2, column 1 is not YAML$/],
])("the kubeconfig %j => is refused", (text, message) => {
  const path = join(folder, "kubeconfig");
  writeFileSync(path, text);
  expect(() => readKubeconfig(path)).toThrow(message);
});

test("names of which one occurs twice, or that every object has => the first of this name in the file", () => {
  const path = join(folder, "kubeconfig");
  const named = (server: string) => ({ name: "__proto__", cluster: { server: `https://${server}` } });
  const context = (namespace: string) => ({ name: "toString", context: { cluster: "__proto__", namespace } });
  const config = {
    "current-context": "toString",
    clusters: [named("first"), named("second")],
    contexts: [context("one"), context("two")],
  };
  writeFileSync(path, JSON.stringify(config));
  const read = readKubeconfig(path);
  expect(clusterOf(read)?.server).toBe("https://first");
  expect(namespaceOf(read)).toBe("one");
  expect(namespaceOf({ ...read, currentContext: "constructor" })).toBe("default");
});

/** Reports every module that the process loads. */
const REPORT = `data:text/javascript,${encodeURIComponent(`
import { appendFileSync } from "node:fs";
import { registerHooks } from "node:module";
registerHooks({ load(url, context, next) { appendFileSync(process.env.REPORT, url + "\\n"); return next(url, context); } });
`)}`;

/** Runs a command that calls this API server, and returns the modules that it loads. */
async function modulesOf(kubeconfig: string): Promise<string> {
  const report = join(folder, "modules");
  const program = join(ROOT, "bin", "claviger.js");
  const child = spawn(
    process.execPath,
    ["--import", REPORT, program, "rotate", "a/b", "--kubeconfig", kubeconfig],
    { env: { ...process.env, REPORT: report }, stdio: "ignore" },
  );
  await once(child, "exit");
  return readFileSync(report, "utf8");
}

test("a command that calls an API server with a usual kubeconfig => does not load the Kubernetes client", async () => {
  const server = await FakeApiServer.start();
  onTestFinished(() => server.stop());
  let calls = 0;
  server.answer((call) => {
    calls += 1;
    failure(404, "NotFound")(call);
  });
  const usual = await modulesOf(server.kubeconfig);
  expect(calls).toBeGreaterThan(0);
  expect(usual).toContain("/src/cli/rotate.ts");
  expect(usual).not.toMatch(/client-node\/dist\/(?!config_types)|undici|openid-client/);
  const withProvider = JSON.parse(readFileSync(server.kubeconfig, "utf8"));
  withProvider.users[0].user = { "auth-provider": { name: "gcp", config: { "access-token": "a" } } };
  const path = join(folder, "kubeconfig");
  writeFileSync(path, JSON.stringify(withProvider));
  expect(await modulesOf(path)).toContain("client-node/dist/gen/");
});
