import { createServer } from "node:http";
import { join } from "node:path";
import { expect, test } from "vitest";
import { createFirstCredentials } from "../../aws/credentials/first-credentials.ts";
import { parseConfig } from "../../config/config.ts";
import { selfSigned } from "../../testing/certificate.ts";
import { freeAddress } from "../../testing/free-address.ts";
import { temporaryFolder } from "../../testing/keyring.ts";
import { apiFault } from "./api-readiness.ts";

const config = (folder: string, aws: string, resources = "manifests: ./keys") =>
  parseConfig(
    `
apiVersion: config.claviger.dev/v1alpha1
kind: NodeConfig
nodeName: node-1
stateDir: ./state
seal: { file: { path: ./root.key } }
${resources}
${aws}
`,
    join(folder, "claviger.yaml"),
  );

test("an API that is not configured has no fault", async () => {
  expect(await apiFault(config("/etc/claviger", ""))).toBeUndefined();
});

test("an API is at fault if its files cannot be used, nobody listens, or it is not ready", async () => {
  using folder = temporaryFolder();
  const listen = await freeAddress();
  const configured = config(folder.path, `aws: { listen: "${listen}", credentials: ./credentials.yaml }`);
  expect(await apiFault(configured)).toContain("credentials.yaml cannot be used");
  createFirstCredentials(join(folder.path, "credentials.yaml"));
  expect(await apiFault(configured)).toContain("ECONNREFUSED");
  let status = 503;
  const server = createServer((_, response) => response.writeHead(status).end());
  const [host = "", port = ""] = listen.split(":");
  await new Promise<void>((resolve) => server.listen(Number(port), host, resolve));
  expect(await apiFault(configured)).toContain("has not recorded all keys and grants yet");
  status = 200;
  expect(await apiFault(configured)).toBeUndefined();
  await new Promise((resolve) => server.close(resolve));
});

test("an API in a pod, with the certificate of a Secret or a network of its own, is not seen from the node: no fault", async () => {
  using folder = temporaryFolder();
  const listen = (await freeAddress()).replace("127.0.0.1", "0.0.0.0");
  const inCluster = (tls: string) =>
    config(
      folder.path,
      `aws: { listen: "${listen}", tls: { cert: ${tls}.crt, key: ${tls}.key }, kubeconfig: api.kubeconfig, sessions: { key: a/b } }`,
      "kubeconfig: ./kubeconfig",
    );
  expect(await apiFault(inCluster("/etc/claviger-tls/tls"))).toBeUndefined();
  expect(await apiFault(inCluster("tls"))).toContain("tls.crt");
  const tls = join(folder.path, "tls");
  selfSigned({ cert: `${tls}.crt`, key: `${tls}.key` });
  expect(await apiFault(inCluster("tls"))).toBeUndefined();
});
