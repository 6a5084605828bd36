import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { Secret } from "../../crypto/secret.ts";
import { ALICE, SITE } from "../../testing/aws-keyring.ts";
import { EXAMPLE, signedHeaders } from "../../testing/aws-signer.ts";
import { MemoryTrail } from "../../testing/memory-trail.ts";
import { lostKey, PUBLIC_RULES } from "../../testing/public-rules.ts";
import { StandaloneOperator } from "../../testing/standalone-operator.ts";
import type { Caller } from "../caller.ts";
import { managementOperations } from "../management/management-table.ts";
import { Access } from "../service/access.ts";
import { Answerer } from "../service/answerer.ts";
import { Authenticator } from "../service/authenticator.ts";
import { KmsService } from "../service/kms-service.ts";
import { standaloneRbac } from "../service/standalone-rbac.ts";
import { AwsAudit } from "./aws-audit.ts";

/** A real operator and the API's own operations make the records. */
let site: StandaloneOperator;
let trail: MemoryTrail;
let arn: string;
beforeAll(async () => {
  site = new StandaloneOperator();
  trail = new MemoryTrail();
  const { KeyMetadata } = await ok("CreateKey", { Policy });
  arn = KeyMetadata.Arn;
  const { KeyId } = KeyMetadata;
  const { CiphertextBlob } = await ok("Encrypt", { KeyId, Plaintext: "YQ==" });
  await ok("Decrypt", { CiphertextBlob });
  await ok("PutKeyPolicy", { KeyId, Policy });
  await refused("DisableKey", { KeyId }, STRANGER);
  await ok("DisableKey", { KeyId });
  await ok("ScheduleKeyDeletion", { KeyId });
  const ours = (await ok("CreateKey", { Origin: "EXTERNAL" })).KeyMetadata.KeyId;
  await refused("ImportKeyMaterial", { KeyId: ours, ImportToken: "YQ==", EncryptedKeyMaterial: "YQ==" });
  await ok("DeleteImportedKeyMaterial", { KeyId: ours });
  await refused("ConnectCustomKeyStore", { CustomKeyStoreId: "cks-1" });
});
afterAll(() => site.stop());

const Policy = JSON.stringify({
  Version: "2012-10-17",
  Statement: [
    { Effect: "Allow", Principal: { AWS: "arn:aws:iam::000000000000:root" }, Action: "kms:*", Resource: "*" },
    { Effect: "Allow", Principal: { AWS: "*" }, Action: "kms:Encrypt", Resource: "*" },
  ],
});
const STRANGER: Caller = { ...ALICE, groups: [], arn: "arn:aws:iam::000000000000:user/bob", user: "bob" };

async function send(name: string, input: object, caller = ALICE) {
  const now = Date.now();
  const credential = { secret: Secret.take(Buffer.from(EXAMPLE.secretAccessKey)), caller };
  const audit = new AwsAudit({ trail, unavailable: "refuse", site: SITE, now: Date.now });
  const service = new KmsService({
    keys: site.keys,
    authenticator: new Authenticator(SITE.region, () => credential),
    access: new Access(site.grants, standaloneRbac),
    management: managementOperations(site.objects),
    audit,
    now: Date.now,
  });
  const body = JSON.stringify(input);
  const target = `TrentService.${name}`;
  const headers = await signedHeaders({ body, at: now, headers: { "x-amz-target": target } });
  const wire = { method: "POST", query: "", headers, body: Buffer.from(body), address: "192.0.2.1" };
  const reply = await new Answerer(service, () => {}, undefined, audit).answer("request-1", target, wire);
  return { status: reply.status, answer: JSON.parse(reply.body) };
}

async function ok(name: string, input: object) {
  const { status, answer } = await send(name, input);
  expect([name, status, answer.message]).toEqual([name, 200, undefined]);
  return answer;
}

async function refused(name: string, input: object, caller?: Caller): Promise<void> {
  expect((await send(name, input, caller)).status).toBe(400);
}

/** The calls about which each public rule raises an alert. */
const EXPECTED: Readonly<Record<string, readonly string[]>> = {
  "imported key material is used": ["ImportKeyMaterial failed", "DeleteImportedKeyMaterial"],
  "a custom key store is connected or created": ["ConnectCustomKeyStore failed"],
  "a key is disabled or scheduled for deletion": ["DisableKey", "ScheduleKeyDeletion"],
  "imported key material is deleted": ["DeleteImportedKeyMaterial"],
  "a key policy is put": ["PutKeyPolicy"],
  "a key is lost": ["DisableKey", "ScheduleKeyDeletion"],
  "a sensitive API is called by a VPC endpoint": [],
  "a key is made that everybody may encrypt with": ["CreateKey", "PutKeyPolicy"],
  "a key is disabled or scheduled for deletion, by a metric filter": [
    "DisableKey failed",
    "DisableKey",
    "ScheduleKeyDeletion",
  ],
};

describe.each(PUBLIC_RULES)("$source", ({ name, fires }) => {
  it(`${name}: raises its alerts about claviger's records, and no other`, () => {
    const alerts = trail.records
      .filter((record) => fires(record))
      .map(({ eventName, errorCode }) => `${eventName}${errorCode === undefined ? "" : " failed"}`);
    expect(alerts).toEqual(EXPECTED[name]);
  });
});

it("GetKeyLastUsage answers with the ids of the last use's record", async () => {
  const [record] = trail.records.filter(({ eventName }) => eventName === "Decrypt");
  const { KeyLastUsage } = await ok("GetKeyLastUsage", { KeyId: arn });
  expect(KeyLastUsage).toMatchObject({
    Operation: "Decrypt",
    CloudTrailEventId: record.eventID,
    KmsRequestId: record.requestID,
  });
});

it("a rotation or a deletion by the service itself, and the calls of a part of the cluster, raise no alert for people", () => {
  const [record] = trail.records.filter(({ eventName }) => eventName === "PutKeyPolicy");
  const byService = { ...record, userIdentity: { type: "AWSService", invokedBy: "kube-apiserver" } };
  const [rule] = PUBLIC_RULES.filter(({ name }) => name === "a key policy is put");
  expect([rule?.fires(record), rule?.fires(byService)]).toEqual([true, false]);
});

it("alerts of one key are joined by its ARN, and show who, from where and with which program", () => {
  for (const record of trail.records.filter(({ eventName }) =>
    /^(?:DisableKey|ScheduleKeyDeletion)$/.test(eventName),
  )) {
    expect(lostKey(record)).toBe(arn);
    expect(record).toMatchObject({ sourceIPAddress: "192.0.2.1", userAgent: expect.any(String) });
    expect(record.userIdentity).toMatchObject({ arn: expect.any(String), accessKeyId: EXAMPLE.accessKeyId });
  }
});
