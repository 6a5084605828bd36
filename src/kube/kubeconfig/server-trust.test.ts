import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { beforeEach, expect, test } from "vitest";
import { readServerTrust } from "./server-trust.ts";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "claviger-trust-"));
  return () => rmSync(folder, { recursive: true, force: true });
});

const CA = "-----BEGIN CERTIFICATE-----\n";
const SERVER = "https://10.0.0.1:6443";

/** Returns the trust of a kubeconfig that has these fields of its cluster, and an identity. */
function trustOf(cluster: object) {
  const path = join(folder, "kubeconfig");
  const config = {
    apiVersion: "v1",
    kind: "Config",
    "current-context": "c",
    clusters: [{ name: "c", cluster: { server: SERVER, ...cluster } }],
    users: [{ name: "c", user: { token: "claviger's-own", "client-key-data": "a2V5" } }],
    contexts: [{ name: "c", context: { cluster: "c", user: "c" } }],
  };
  writeFileSync(path, JSON.stringify(config), { mode: 0o600 });
  return readServerTrust(path);
}

test("has the server and what verifies it, and nothing of the identity", () => {
  const data = Buffer.from(CA).toString("base64");
  expect(trustOf({ "certificate-authority-data": data, "tls-server-name": "kube" })).toEqual({
    server: `${SERVER}/`,
    ca: CA,
    servername: "kube",
  });
});

test("reads the certificates from a file beside the kubeconfig", () => {
  writeFileSync(join(folder, "ca.crt"), CA);
  expect(trustOf({ "certificate-authority": "ca.crt" })).toEqual({ server: `${SERVER}/`, ca: CA });
});

test.each([
  [{ "insecure-skip-tls-verify": true }, /insecure-skip-tls-verify is set, and tokens go to a verified/],
  [{ "proxy-url": "http://proxy:3128" }, /proxy-url is set, and the console uses no proxy/],
  [{ "certificate-authority": "none.crt" }, /kubeconfig .+none\.crt/],
  [{ server: "http://10.0.0.1:8080" }, /no current context with an https server/],
])("%j is refused: other people's tokens are sent there", (cluster, message) => {
  expect(() => trustOf(cluster)).toThrow(message);
});
