import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { selfSigned } from "../testing/certificate.ts";
import { certificateExpiry, kubeconfigExpiry } from "./certificate-expiry.ts";

let folder: string;
let pem: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "clv-"));
  pem = join(folder, "cert.pem");
  selfSigned({ cert: pem, key: join(folder, "key.pem") });
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const inTwoDays = () => expect.closeTo(Date.now() + 2 * 86_400_000, -6);
const kubeconfig = (user: object): string => {
  const path = join(folder, "kubeconfig");
  const server = { server: "https://127.0.0.1:6443" };
  const text = JSON.stringify({
    clusters: [{ name: "c", cluster: server }],
    users: [{ name: "u", user }],
    contexts: [{ name: "x", context: { cluster: "c", user: "u" } }],
    "current-context": "x",
  });
  writeFileSync(path, text, { mode: 0o600 });
  return path;
};

describe("the expiry of a client certificate", () => {
  test("in a kubeconfig, or in a file beside it", () => {
    const data = readFileSync(pem).toString("base64");
    expect(kubeconfigExpiry(kubeconfig({ "client-certificate-data": data }))).toEqual(inTwoDays());
    expect(kubeconfigExpiry(kubeconfig({ "client-certificate": "cert.pem" }))).toEqual(inTwoDays());
    expect(certificateExpiry(pem)).toEqual(inTwoDays());
  });
  test("of a user with a token => there is none", () => {
    expect(kubeconfigExpiry(kubeconfig({ token: "t" }))).toBeUndefined();
  });
  test("that cannot be read => throws", () => {
    expect(() => kubeconfigExpiry(kubeconfig({ "client-certificate": "missing.pem" }))).toThrow("ENOENT");
    expect(() => certificateExpiry(join(folder, "kubeconfig"))).toThrow();
  });
});
