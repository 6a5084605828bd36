import { randomBytes } from "node:crypto";
import { status } from "@grpc/grpc-js";
import { describe, expect, it } from "vitest";
import { KmsClient } from "../../src/plugin/kms-client.ts";
import { freePort } from "../controlplane/ports.ts";
import { eventually } from "../controlplane/wait.ts";
import { Installation, masterKey } from "./installation.ts";
import { eventuallyRefused } from "./kms.ts";
import { MetricsFlooder } from "./metrics-flooder.ts";

const ROUNDS = 100;

/** Makes a Status, an Encrypt and a Decrypt call with the API server's deadline of 3 s for each. */
async function oneRound(client: KmsClient): Promise<void> {
  const seed = randomBytes(32);
  const { keyId } = await client.status();
  const { ciphertext } = await client.encrypt({ plaintext: seed, uid: "flood" });
  const opened = await client.decrypt({
    ciphertext: Buffer.from(ciphertext),
    keyId,
    uid: "flood",
    annotations: new Map(),
  });
  expect(Buffer.from(opened)).toEqual(seed);
}

const scrape = async (port: number): Promise<string> => {
  const response = await fetch(`http://127.0.0.1:${port}/metrics`, { signal: AbortSignal.timeout(20_000) });
  expect(response.status).toBe(200);
  return response.text();
};

describe("a flood of /metrics by a user without rights,", () => {
  it("of a plugin leaves every Status, Encrypt and Decrypt answered in time, and metrics are scraped afterwards", async () => {
    const port = await freePort();
    const metrics = { listen: `127.0.0.1:${port}` };
    await using installation = await Installation.create((config) => ({ ...config, metrics }));
    await installation.start("operator");
    await installation.start("plugin");
    await installation.serving();
    await eventually("metrics are served", () => scrape(port));
    const client = new KmsClient(installation.socket());
    try {
      await using flooder = await MetricsFlooder.start(port, installation.dir);
      const before = await flooder.count();
      for (let round = 0; round < ROUNDS; round += 1) await oneRound(client);
      await eventually("the flood went on", async () => (await flooder.count()).answers > before.answers);
    } finally {
      client.close();
    }
    await eventually("a scrape counts the calls", async () =>
      (await scrape(port)).includes(
        `claviger_kms_request_duration_seconds_count{provider="secrets",operation="Decrypt",outcome="OK"} ${ROUNDS}\n`,
      ),
    );
  });

  it("of an operator leaves it following its keys", async () => {
    const port = await freePort();
    const metrics = { listen: `127.0.0.1:${await freePort()}`, operatorListen: `127.0.0.1:${port}` };
    await using installation = await Installation.create((config) => ({ ...config, metrics }));
    await installation.start("serve");
    const keyId = await installation.serving();
    await eventually("metrics are served", () => scrape(port));
    await using _flooder = await MetricsFlooder.start(port, installation.dir);
    await installation.manifest("secrets.yaml", masterKey("secrets", { enabled: false }));
    const client = installation.client();
    await eventuallyRefused(() => client.status(), status.FAILED_PRECONDITION, /is disabled/);
    await installation.manifest("secrets.yaml", masterKey("secrets"));
    expect(await installation.serving()).toBe(keyId);
  });
});
