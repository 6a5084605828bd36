import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { Secret } from "../../crypto/secret.ts";
import type { PutKey } from "../../keyring/changes.ts";
import { ALICE, AwsKeyring, NOW, SITE } from "../../testing/aws-keyring.ts";
import { EXAMPLE, signedHeaders } from "../../testing/aws-signer.ts";
import { MemoryTrail } from "../../testing/memory-trail.ts";
import type { Caller } from "../caller.ts";
import type { Operation } from "../operations/operation.ts";
import { Access } from "../service/access.ts";
import { Answerer } from "../service/answerer.ts";
import { Authenticator } from "../service/authenticator.ts";
import { KmsService } from "../service/kms-service.ts";
import { standaloneRbac } from "../service/standalone-rbac.ts";
import { StsDoor } from "../sts/sts-door.ts";
import { Telemetry } from "../telemetry/telemetry.ts";
import { AwsAudit } from "./aws-audit.ts";
import { Draft } from "./draft.ts";

let keyring: AwsKeyring;
let key: PutKey;
let trail: MemoryTrail;
let telemetry: Telemetry;
let audit: AwsAudit;
let disabled: string[];
beforeEach(async () => {
  keyring = new AwsKeyring();
  key = await keyring.add("orders");
  keyring.alias("orders", "orders");
  keyring.start();
  trail = new MemoryTrail();
  telemetry = new Telemetry();
  disabled = [];
  withAudit("refuse");
});
afterEach(() => keyring.close());

function withAudit(unavailable: "refuse" | "continue"): void {
  audit = new AwsAudit({ trail, unavailable, site: SITE, telemetry, now: () => NOW });
}

const READER: Caller = { ...ALICE, groups: [], arn: "arn:aws:iam::000000000000:role/shop/app" };
const arn = () => keyring.keys.arn(key);
const find = (caller: Caller) => () => ({
  secret: Secret.take(Buffer.from(EXAMPLE.secretAccessKey)),
  caller,
});

/** A change that needs no cluster. */
const disableKey: Operation<{ readonly KeyId: string }, object> = {
  needs: ({ input, caller }, keys) => [{ action: "DisableKey", key: keys.find(input.KeyId, caller) }],
  prepare:
    ({ input }) =>
    () => {
      disabled.push(input.KeyId);
      return {};
    },
};

function answerer(caller: Caller): Answerer {
  const service = new KmsService({
    keys: keyring.keys,
    authenticator: new Authenticator("us-local-1", find(caller)),
    access: new Access(keyring.grants, standaloneRbac),
    management: new Map([["DisableKey", disableKey]]),
    audit,
    now: () => NOW,
  });
  return new Answerer(service, () => {}, telemetry, audit);
}

const TLS = { version: "TLSv1.3", cipher: "TLS_AES_128_GCM_SHA256" };

/** Sends a signed request, and returns the status and the answer. */
async function send(name: string, input: object, caller = ALICE, extra: readonly string[] = []) {
  const body = JSON.stringify(input);
  const target = `TrentService.${name}`;
  const signed = await signedHeaders({ body, at: NOW, headers: { "x-amz-target": target } });
  const headers = [...signed, "User-Agent", "aws-cli/2", ...extra];
  const wire = { method: "POST", query: "", headers, body: Buffer.from(body), address: "::ffff:192.0.2.1" };
  const reply = await answerer(caller).answer("request-1", target, { ...wire, isSecure: true, tls: TLS });
  return { status: reply.status, ...JSON.parse(reply.body) };
}

/** Sends a request that nobody has signed. */
async function sendUnsigned(authorization = "") {
  const headers = ["Host", "kms", "Authorization", authorization];
  const wire = { method: "POST", query: "", headers, body: Buffer.from("{}") };
  const reply = await answerer(ALICE).answer("request-1", "TrentService.Encrypt", wire);
  return JSON.parse(reply.body);
}

const Plaintext = Buffer.from("attack at dawn").toString("base64");
const encrypt = (rest: object = {}, caller?: Caller) =>
  send("Encrypt", { KeyId: "alias/orders", Plaintext, ...rest }, caller);
const counts = (metric: "auditWrites" | "auditDropped") =>
  Object.fromEntries(telemetry.take()[metric].map(({ series, count }) => [series, count]));

describe("the record of a call", () => {
  it("that was allowed has the caller, the key as the caller named it, its ARN and the rule", async () => {
    await encrypt({ EncryptionContext: { order: "7" } });
    expect(trail.records).toEqual([
      {
        eventVersion: "1.11",
        userIdentity: {
          type: "IAMUser",
          principalId: "alice",
          arn: ALICE.arn,
          accountId: SITE.account,
          accessKeyId: EXAMPLE.accessKeyId,
          userName: "alice",
        },
        eventTime: "2026-11-30T12:00:00Z",
        eventSource: "kms.amazonaws.com",
        eventName: "Encrypt",
        awsRegion: SITE.region,
        sourceIPAddress: "192.0.2.1",
        userAgent: "aws-cli/2",
        requestParameters: {
          keyId: "alias/orders",
          encryptionContext: { order: "7" },
          encryptionAlgorithm: "SYMMETRIC_DEFAULT",
        },
        responseElements: null,
        additionalEventData: {
          door: "aws",
          decidedBy: ["rbac encrypt"],
          keyMaterialId: expect.stringMatching(/^[0-9a-f]{64}$/),
        },
        requestID: "request-1",
        eventID: expect.stringMatching(/^[0-9a-f-]{36}$/),
        readOnly: true,
        resources: [{ accountId: SITE.account, type: "AWS::KMS::Key", ARN: arn() }],
        eventType: "AwsApiCall",
        managementEvent: true,
        recipientAccountId: SITE.account,
        eventCategory: "Management",
        tlsDetails: {
          tlsVersion: "TLSv1.3",
          cipherSuite: TLS.cipher,
          clientProvidedHostHeader: expect.any(String),
        },
      },
    ]);
  });

  it("that was denied has the error, the rule and the key", async () => {
    await encrypt({}, READER);
    expect(trail.records).toMatchObject([
      {
        errorCode: "AccessDeniedException",
        errorMessage: expect.stringContaining("is not authorized to perform: kms:Encrypt"),
        userIdentity: { type: "Role", principalId: "shop.app" },
        additionalEventData: { decidedBy: ["none encrypt"] },
        resources: [{ ARN: arn() }],
      },
    ]);
  });

  it("of a session names the session", async () => {
    await encrypt({}, { ...READER, session: "pod-1" });
    expect(trail.records[0].userIdentity).toMatchObject({
      type: "AssumedRole",
      principalId: "shop.app:pod-1",
    });
  });

  it("of a change carries the ARN of the key, though the API answers nothing", async () => {
    await send("DisableKey", { KeyId: key.keyId });
    expect(trail.records).toMatchObject([
      { eventName: "DisableKey", readOnly: false, responseElements: { keyId: arn() } },
    ]);
  });

  it.each([
    ["Encrypt", { KeyId: "alias/orders" }, "ValidationException", "Encrypt"],
    ["Encrypt", { KeyId: "alias/gone", Plaintext }, "NotFoundException", "Encrypt"],
    ["Encrypt", { KeyId: "alias/orders", Plaintext, DryRun: true }, "DryRunOperationException", "Encrypt"],
    [
      "ConnectCustomKeyStore",
      { CustomKeyStoreId: "cks-1" },
      "UnsupportedOperationException",
      "ConnectCustomKeyStore",
    ],
    ["Secret-in-a-name", {}, "UnknownOperationException", "UnknownOperation"],
  ])("of %s %o that fails with %s is written once", async (name, input, errorCode, eventName) => {
    expect(await send(name, input)).toMatchObject({ __type: errorCode });
    expect(trail.records).toMatchObject([{ eventName, errorCode }]);
    expect(trail.lines.join()).not.toContain("Secret-in-a-name");
  });

  it("shows neither plaintext, ciphertext nor the signature of the request", async () => {
    const { CiphertextBlob } = await encrypt();
    await send("Decrypt", { CiphertextBlob, GrantTokens: [] });
    expect(trail.records).toHaveLength(2);
    for (const secret of [Plaintext, "attack at dawn", CiphertextBlob, "Signature"])
      expect(trail.lines.join()).not.toContain(secret);
  });
});

describe("a trail that fails", () => {
  beforeEach(() => {
    trail.works = false;
  });

  it("refuse => the caller gets no result, and is told to retry", async () => {
    const { CiphertextBlob, ...answer } = await encrypt();
    expect(answer).toMatchObject({ status: 500, __type: "DependencyTimeoutException" });
    expect(CiphertextBlob).toBeUndefined();
    expect(counts("auditWrites")).toEqual({ failed: 1 });
  });

  it("refuse => a change is not made once the failure is known", async () => {
    await encrypt();
    expect(audit.refuses).toBe(true);
    expect(await send("DisableKey", { KeyId: key.keyId })).toMatchObject({
      __type: "DependencyTimeoutException",
    });
    expect(disabled).toEqual([]);
  });

  it("refuse => answers again once a record was written", async () => {
    await encrypt();
    trail.works = true;
    expect(await encrypt()).toMatchObject({ status: 200 });
    expect(audit.refuses).toBe(false);
    expect(await send("DisableKey", { KeyId: key.keyId })).toMatchObject({ status: 200 });
  });

  it("continue => answers and changes as without a log, and counts", async () => {
    withAudit("continue");
    expect(await encrypt()).toMatchObject({ status: 200 });
    expect(await send("DisableKey", { KeyId: key.keyId })).toMatchObject({ status: 200 });
    expect(disabled).toEqual([key.keyId]);
    expect([audit.refuses, counts("auditWrites")]).toEqual([false, { failed: 2 }]);
  });

  it("continue => answers do not wait for a disk that fails, and so many records wait at most", async () => {
    withAudit("continue");
    await encrypt();
    // A disk that does not answer.
    trail.append = () => new Promise(() => undefined);
    for (let call = 0; call < 300; call += 1) await sendVerified();
    expect(counts("auditDropped")).toEqual({ backlog: 300 - 256 });
  });
});

/** Writes the record of a call, without the call. */
const sendVerified = () =>
  audit.kms(Object.assign(new Draft(), { caller: ALICE }), {
    id: "request-1",
    name: "Encrypt",
    wire: { method: "POST", query: "", headers: [], body: Buffer.of() },
  });

describe("a gap of the log", () => {
  it("is noted once the trail works again, by numbers and reasons", async () => {
    trail.works = false;
    await encrypt();
    await audit.noteGap();
    expect([trail.lines, audit.refuses]).toEqual([[], true]);
    trail.works = true;
    await audit.noteGap();
    expect(trail.records).toMatchObject([
      {
        eventName: "AuditRecordsMissing",
        eventType: "AwsServiceEvent",
        serviceEventDetails: { unverified: 0, backlog: 0, failed: 1 },
      },
    ]);
    // A worker that is not ready gets no requests: it must find out by itself.
    expect(audit.refuses).toBe(false);
  });

  it("that does not exist is not noted", async () => {
    await encrypt();
    await audit.noteGap();
    expect(trail.records).toMatchObject([{ eventName: "Encrypt" }]);
  });
});

describe("requests whose signatures are not verified", () => {
  it("have a record of an unknown caller", async () => {
    await sendUnsigned("AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/x");
    expect(trail.records).toMatchObject([
      {
        eventName: "Encrypt",
        userIdentity: { type: "Unknown", accessKeyId: "AKIAIOSFODNN7EXAMPLE" },
        errorCode: "IncompleteSignatureException",
        requestParameters: null,
        resources: [],
      },
    ]);
  });

  it("a secret that was put in place of the access key id is not recorded", async () => {
    await sendUnsigned("AWS4-HMAC-SHA256 Credential=wJalrXUtnFEMIK7MDENGbPxRfiCYEXAMPLEKEYab/x");
    expect(trail.lines.join()).not.toContain("wJalr");
  });

  it("are recorded some times a second, and counted beyond", async () => {
    for (let call = 0; call < 200; call += 1) await sendUnsigned();
    const { unverified = 0 } = counts("auditDropped");
    expect(trail.lines.length + unverified).toBe(200);
    expect(trail.lines.length).toBeGreaterThanOrEqual(20);
    expect(unverified).toBeGreaterThan(100);
    // Whoever has signed is recorded all the same.
    await encrypt();
    expect(trail.records.at(-1).userIdentity.type).toBe("IAMUser");
  });
});

describe("the record of a call of STS", () => {
  const user = "system:serviceaccount:shop:app";
  const token = `${["{}", '{"exp":4000000000}'].map((part) => Buffer.from(part).toString("base64url")).join(".")}.c2ln`;
  const door = (authenticated: boolean) =>
    new StsDoor(
      {
        ...SITE,
        find: find(ALICE),
        now: () => NOW,
        webIdentity: {
          reviewer: {
            review: async () => (authenticated ? { authenticated, user, groups: [] } : { authenticated }),
          },
          sessions: {
            issue: async () => ({
              accessKeyId: "ASIAEXAMPLE",
              secretAccessKey: "canary-secret",
              sessionToken: "canary-token",
            }),
          },
        },
      },
      () => {},
      telemetry,
      audit,
    );
  const assume = (authenticated = true) => {
    const form = new URLSearchParams({
      Action: "AssumeRoleWithWebIdentity",
      Version: "2011-06-15",
      RoleArn: "arn:aws:iam::000000000000:role/shop/app",
      RoleSessionName: "pod-1",
      WebIdentityToken: token,
    });
    const body = Buffer.from(form.toString());
    return door(authenticated).answer("request-1", { method: "POST", query: "", headers: [], body });
  };

  it("names the user, the role and the session, and neither token nor secret", async () => {
    expect(await assume()).toMatchObject({ status: 200 });
    expect(trail.records).toMatchObject([
      {
        eventSource: "sts.amazonaws.com",
        eventName: "AssumeRoleWithWebIdentity",
        userIdentity: { type: "WebIdentityUser", userName: user },
        requestParameters: { roleSessionName: "pod-1", durationSeconds: 3600 },
        responseElements: { credentials: { accessKeyId: "ASIAEXAMPLE" } },
      },
    ]);
    for (const secret of ["canary", token]) expect(trail.lines.join()).not.toContain(secret);
  });

  it("of a token that is not valid has the error, and an unknown caller", async () => {
    expect(await assume(false)).toMatchObject({ status: 400 });
    expect(trail.records).toMatchObject([
      { errorCode: "InvalidIdentityToken", userIdentity: { type: "Unknown" }, responseElements: null },
    ]);
  });

  it("refuse => no session is given if the record cannot be written", async () => {
    trail.works = false;
    const { status, body } = await assume();
    expect([status, body.includes("canary")]).toEqual([500, false]);
  });
});
