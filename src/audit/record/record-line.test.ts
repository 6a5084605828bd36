import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type ApiCall, apiCall } from "./api-call.ts";
import type { AuditRecord, Elements } from "./audit-record.ts";
import { serviceIdentity, sessionIdentity, unknownIdentity, userIdentity } from "./identities.ts";
import { MAX_LINE_BYTES, recordLine } from "./record-line.ts";
import { serviceEvent } from "./service-event.ts";

const SITE = { account: "000000000000", region: "us-local-1" };
const KEY = "arn:aws:kms:us-local-1:000000000000:key/11111111-2222-3333-4444-555555555555";

const call = (changes: Partial<ApiCall> = {}): AuditRecord =>
  apiCall({
    site: SITE,
    name: "Encrypt",
    at: Date.parse("2026-12-01T01:02:03.456Z"),
    eventId: "event-1",
    requestId: "request-1",
    identity: userIdentity("arn:aws:iam::000000000000:user/alice", "alice", SITE),
    address: "192.0.2.1",
    userAgent: "aws-cli/2",
    readOnly: true,
    parameters: { keyId: KEY, encryptionAlgorithm: "SYMMETRIC_DEFAULT" },
    keys: [KEY],
    additional: { door: "aws", decidedBy: ["policy-allow"], keyMaterialId: "ab" },
    ...changes,
  });

describe("the line of a call", () => {
  test("has CloudTrail's fields", () => {
    expect(JSON.parse(recordLine(call()))).toEqual({
      eventVersion: "1.11",
      userIdentity: {
        type: "IAMUser",
        principalId: "alice",
        arn: "arn:aws:iam::000000000000:user/alice",
        accountId: "000000000000",
        userName: "alice",
      },
      eventTime: "2026-12-01T01:02:03Z",
      eventSource: "kms.amazonaws.com",
      eventName: "Encrypt",
      awsRegion: "us-local-1",
      sourceIPAddress: "192.0.2.1",
      userAgent: "aws-cli/2",
      requestParameters: { keyId: KEY, encryptionAlgorithm: "SYMMETRIC_DEFAULT" },
      responseElements: null,
      additionalEventData: { door: "aws", decidedBy: ["policy-allow"], keyMaterialId: "ab" },
      requestID: "request-1",
      eventID: "event-1",
      readOnly: true,
      resources: [{ accountId: "000000000000", type: "AWS::KMS::Key", ARN: KEY }],
      eventType: "AwsApiCall",
      managementEvent: true,
      recipientAccountId: "000000000000",
      eventCategory: "Management",
    });
  });

  test("of a refused call has the error's name and text", () => {
    const line = recordLine(call({ error: { code: "AccessDeniedException", message: "not authorized" } }));
    expect(JSON.parse(line)).toMatchObject({
      errorCode: "AccessDeniedException",
      errorMessage: "not authorized",
    });
  });

  test("of a session names the session and its role", () => {
    const role = { arn: "arn:aws:iam::000000000000:role/shop/app", namespace: "shop", name: "app" };
    const line = recordLine(call({ identity: sessionIdentity(role, "pod-1", SITE) }));
    expect(JSON.parse(line).userIdentity).toMatchObject({
      type: "AssumedRole",
      arn: "arn:aws:sts::000000000000:assumed-role/shop/app/pod-1",
      sessionContext: { sessionIssuer: { arn: role.arn, userName: "app" } },
    });
  });

  test("names a key once that the call needs twice", () => {
    expect(call({ keys: [KEY, KEY] }).resources).toHaveLength(1);
  });

  test("leaves out what no field of a record is", () => {
    const extra = { Plaintext: "canary", type: "IAMUser" } as const;
    const record = {
      ...call({ tls: { tlsVersion: "TLSv1.3", cipherSuite: "TLS_AES_128_GCM_SHA256", ...extra } }),
      ...extra,
    };
    const hostile = {
      ...record,
      userIdentity: { ...record.userIdentity, ...extra },
      additionalEventData: { door: "aws" as const, ...extra },
    };
    expect(recordLine(hostile)).not.toContain("canary");
  });
});

describe("the line of an event of the service", () => {
  test("has no caller and no parameters", () => {
    const details = { rotationType: "AUTOMATIC", keyId: "k" };
    const at = Date.parse("2026-12-01T01:02:03Z");
    const record = serviceEvent({
      site: SITE,
      name: "RotateKey",
      at,
      door: "operator",
      keys: [KEY],
      details,
    });
    expect(JSON.parse(recordLine(record))).toMatchObject({
      userIdentity: { accountId: "000000000000", invokedBy: "kms.claviger.dev" },
      eventName: "RotateKey",
      eventType: "AwsServiceEvent",
      requestParameters: null,
      serviceEventDetails: details,
      readOnly: false,
    });
  });
  test("a part of the cluster is an AWSService", () => {
    expect(serviceIdentity("kube-apiserver", SITE)).toMatchObject({
      type: "AWSService",
      invokedBy: "kube-apiserver",
    });
  });
});

describe("a line is one line of at most 131,072 bytes of JSON", () => {
  const elements = fc.dictionary(fc.string({ unit: "binary" }), fc.jsonValue(), { maxKeys: 5 });
  test("whatever its texts are", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary" }), elements, (text, parameters) => {
        const line = recordLine(
          call({
            name: text,
            userAgent: text,
            address: text,
            identity: unknownIdentity(text),
            parameters: parameters as Elements,
          }),
        );
        expect(line).not.toMatch(/[\n\r\u2028\u2029\u202e]/u);
        expect(JSON.parse(line).eventID).toBe("event-1");
      }),
    );
  });

  test.each([
    ["a text of ASCII", "a".repeat(1_000_000)],
    ["a text of quotes", '"'.repeat(120_000)],
    ["a text of controls", "\u0000".repeat(120_000)],
    ["a text of Chinese characters", "漢".repeat(120_000)],
    ["a text of lone surrogates", "\ud800".repeat(120_000)],
    ["a text of invisible characters", "\u{e0041}".repeat(60_000)],
  ])("%s is cut, and says so", (_, text) => {
    const many = Object.fromEntries(Array.from({ length: 3 }, (_none, at) => [`${at}`, text]));
    const line = recordLine(call({ userAgent: text, parameters: { policy: text, encryptionContext: many } }));
    expect(Buffer.byteLength(line)).toBeLessThanOrEqual(MAX_LINE_BYTES);
    const { requestParameters, userAgent } = JSON.parse(line);
    expect(requestParameters.policy).toMatch(/characters more\)$/);
    expect(userAgent).toMatch(/characters more\)$/);
  });

  test("a map of many entries says how many are left out", () => {
    const text = "v".repeat(100);
    const many = Object.fromEntries(Array.from({ length: 20_000 }, (_, at) => [`name-${at}`, text]));
    const line = recordLine(call({ parameters: { encryptionContext: many } }));
    expect(Buffer.byteLength(line)).toBeLessThanOrEqual(MAX_LINE_BYTES);
    expect(JSON.parse(line).requestParameters.encryptionContext["…"]).toMatch(/^\d+ entries more$/);
  });

  test("a policy of 32 KB stays as it is", () => {
    const policy = JSON.stringify({
      Statement: Array.from({ length: 400 }, () => ({ Sid: "s".repeat(60) })),
    });
    expect(JSON.parse(recordLine(call({ parameters: { policy } }))).requestParameters.policy).toBe(policy);
  });
});
