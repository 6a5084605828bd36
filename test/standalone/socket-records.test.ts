import { randomBytes } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { status } from "@grpc/grpc-js";
import { describe, expect, it } from "vitest";
import { canMount, Tmpfs } from "../../src/testing/tmpfs.ts";
import { freePort } from "../controlplane/ports.ts";
import { eventually } from "../controlplane/wait.ts";
import { expectServes, prepare } from "./faults.ts";
import { Installation, masterKey } from "./installation.ts";
import { encryptSeed, expectOpens, expectRefused } from "./kms.ts";

const UID = "6f9f0a4e-5f4c-4b6e-8d3e-0f3c8d7a1b2c";
const metricsAt = `127.0.0.1:${await freePort()}`;

const recordingIn = (folder: string) =>
  Installation.create((config) => ({
    ...config,
    audit: { path: join(folder, "audit.jsonl") },
    metrics: { listen: metricsAt },
  }));

const recordsIn = (folder: string) => {
  const path = join(folder, "audit.jsonl");
  if (!existsSync(path)) return [];
  return readFileSync(path, "utf8")
    .split("\n")
    .slice(0, -1)
    .map((line) => JSON.parse(line));
};
const namesIn = (folder: string): string[] => recordsIn(folder).map(({ eventName }) => eventName);

async function lost(): Promise<number> {
  const text = await (await fetch(`http://${metricsAt}/metrics`)).text();
  return Number(/^claviger_kms_audit_lost_total\{provider="secrets"\} (\d+)$/m.exec(text)?.[1]);
}

describe("the calls at a socket", () => {
  it("have a record each, without Status and without a payload, and the log is verified", async () => {
    await using installation = await recordingIn("./");
    const serve = await installation.start("serve");
    await installation.serving();
    const client = installation.client();
    const canary = randomBytes(32);
    const { ciphertext, key_id } = await client.encrypt(canary, UID);
    await expectOpens(client, { plaintext: canary, ciphertext, key_id });
    const altered = Buffer.from(ciphertext);
    altered.writeUInt8(altered.readUInt8(altered.length - 1) ^ 1, altered.length - 1);
    await expectRefused(
      client.decrypt({ ciphertext: altered, key_id }),
      status.INVALID_ARGUMENT,
      /not valid/,
    );
    await client.status();
    expect(await serve.process.stop()).toEqual({ code: 0, signal: null });

    const verified = await installation.run("audit", "verify", "--config", installation.configPath);
    expect(verified).toMatchObject({ code: 0, stderr: "" });
    const records = recordsIn(installation.dir).filter(
      ({ additionalEventData, requestID }) =>
        additionalEventData.door === "kms-v2" && !requestID.startsWith("self-check-"),
    );
    expect(records.map(({ eventName, errorCode }) => [eventName, errorCode])).toEqual([
      ["Encrypt", undefined],
      ["Decrypt", undefined],
      ["Decrypt", "InvalidCiphertext"],
    ]);
    const [made, opened, refused] = records;
    expect(made).toMatchObject({
      userIdentity: { type: "AWSService", invokedBy: "kube-apiserver" },
      requestID: UID,
      additionalEventData: { provider: "secrets", keyMaterialId: expect.stringMatching(/^[0-9a-f]{64}$/) },
      resources: [{ ARN: expect.stringMatching(/^arn:aws:kms:us-local-1:000000000000:key\//) }],
    });
    expect(opened.resources).toEqual(made.resources);
    expect(opened.additionalEventData).toEqual(made.additionalEventData);
    expect(refused.resources).toEqual(made.resources);
    const text = readFileSync(join(installation.dir, "audit.jsonl"), "latin1");
    for (const payload of [canary, ciphertext])
      for (const form of ["latin1", "hex", "base64"] as const)
        expect(text).not.toContain(payload.subarray(0, 24).toString(form));
  });

  it("are in one log with what the operator did by itself, and what changed in manifests", async () => {
    await using installation = await recordingIn("./");
    const serve = await installation.start("serve");
    await installation.serving();
    await installation.manifest("later.yaml", masterKey("later"));
    await serve.line(/MasterKey claviger-system\/later: version 1 is current/);
    await installation.manifest("later.yaml", masterKey("later", { enabled: false }));
    const ofOperator = () =>
      recordsIn(installation.dir).filter(
        ({ additionalEventData, serviceEventDetails }) =>
          additionalEventData.door === "operator" && serviceEventDetails.keyId !== undefined,
      );
    const disabled = await eventually("the key is disabled", async () =>
      ofOperator().find(({ eventName }) => eventName === "DisableKey"),
    );
    expect(disabled).toMatchObject({
      eventType: "AwsServiceEvent",
      userIdentity: { invokedBy: "kms.claviger.dev" },
      serviceEventDetails: { previousState: "Enabled" },
      resources: [{ ARN: disabled.serviceEventDetails.keyId }],
    });
    expect(await serve.process.stop()).toEqual({ code: 0, signal: null });
    const names = ofOperator().flatMap(({ eventName, resources }) =>
      resources[0].ARN === disabled.resources[0].ARN ? [eventName] : [],
    );
    expect(names).toEqual(["CreateKey", "DisableKey"]);
    const verified = await installation.run("audit", "verify", "--config", installation.configPath);
    expect(verified).toMatchObject({ code: 0, stderr: "" });
  });

  it("are answered while the folder of the log is missing, and the log says its gap once the folder is there", async () => {
    await using installation = await recordingIn("./log");
    const folder = join(installation.dir, "log");
    const prepared = await prepare(installation);
    const plugin = await installation.start("plugin");
    await installation.serving();
    await expectServes(installation, prepared);
    await plugin.line(/a call at provider secrets was answered and has no record in the audit log/);
    await eventually("the loss is counted", async () => (await lost()) === 3);
    mkdirSync(folder, { mode: 0o700 });
    await eventually("the gap is in the log", async () => namesIn(folder).includes("AuditRecordsMissing"));
    const gap = recordsIn(folder).find(({ eventName }) => eventName === "AuditRecordsMissing");
    // Calls of the run that prepared the keyring are another process's.
    expect(gap).toMatchObject({
      additionalEventData: { door: "kms-v2" },
      serviceEventDetails: { backlog: 0, failed: 3 },
    });
    await encryptSeed(installation.client(), randomBytes(32));
    await eventually("a call is recorded again", async () => namesIn(folder).includes("Encrypt"));
    expect(await lost()).toBe(3);
  });

  it.skipIf(!canMount())(
    "are answered while the disk of the log is full, and recorded when there is room",
    async () => {
      using disk = new Tmpfs("1m");
      await using installation = await recordingIn(disk.path);
      const prepared = await prepare(installation);
      const filler = join(disk.path, "filler");
      expect(() => writeFileSync(filler, Buffer.alloc(2 * 1024 * 1024))).toThrow("ENOSPC");
      const plugin = await installation.start("plugin");
      await installation.serving();
      for (let round = 0; round < 10; round++) await expectServes(installation, prepared);
      await plugin.line(/has no record in the audit log: .*(ENOSPC|no space|full)/);
      await rm(filler);
      await eventually("the gap is in the log", async () =>
        namesIn(disk.path).includes("AuditRecordsMissing"),
      );
    },
  );
});
