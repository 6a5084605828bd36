import { createServer } from "node:http";
import { join } from "node:path";
import { expect, test } from "vitest";
import { createFirstCredentials } from "../../aws/credentials/first-credentials.ts";
import { parseConfig } from "../../config/config.ts";
import { freeAddress } from "../../testing/free-address.ts";
import { temporaryFolder } from "../../testing/keyring.ts";
import { apiFault } from "./api-readiness.ts";

const config = (folder: string, aws: string) =>
  parseConfig(
    `
apiVersion: config.claviger.dev/v1alpha1
kind: NodeConfig
nodeName: node-1
stateDir: ./state
seal: { file: { path: ./root.key } }
manifests: ./keys
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
  expect(await apiFault(configured)).toContain("it is not ready");
  status = 200;
  expect(await apiFault(configured)).toBeUndefined();
  await new Promise((resolve) => server.close(resolve));
});
