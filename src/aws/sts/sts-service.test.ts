import { fromWebToken } from "@aws-sdk/credential-provider-web-identity";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { AwsKeyring, NOW } from "../../testing/aws-keyring.ts";
import { signedHeaders } from "../../testing/aws-signer.ts";
import { SessionCredentials } from "../sessions/session-credentials.ts";
import { SessionKeys } from "../sessions/session-keys.ts";
import { StsService, type StsServiceOptions, type WebIdentity } from "./sts-service.ts";
import type { Reviewed } from "./web-identity.ts";

const ACCOUNT = "000000000000";
const ROLE = `arn:aws:iam::${ACCOUNT}:role/shop/web`;
const WEB: Reviewed = {
  authenticated: true,
  user: "system:serviceaccount:shop:web",
  groups: ["system:serviceaccounts"],
};

let keyring: AwsKeyring;
let sessions: SessionCredentials;
const reports: unknown[] = [];
beforeEach(async () => {
  reports.length = 0;
  keyring = new AwsKeyring();
  await keyring.add("aws-sessions");
  keyring.start();
  const keys = new SessionKeys(keyring.live, { namespace: "apps", name: "aws-sessions" });
  sessions = new SessionCredentials(keys, { account: ACCOUNT, namespace: "default" });
});
afterEach(() => keyring.close());

interface Changes extends Partial<StsServiceOptions> {
  readonly reviewer?: WebIdentity["reviewer"];
  readonly issuer?: WebIdentity["sessions"];
}

function service({ reviewer, issuer, ...changes }: Changes = {}): StsService {
  return new StsService({
    region: "us-local-1",
    account: ACCOUNT,
    webIdentity: { reviewer: reviewer ?? { review: async () => WEB }, sessions: issuer ?? sessions },
    find: (name, now) => sessions.find(name, now),
    now: () => NOW,
    report: (_, error) => reports.push(error),
    ...changes,
  });
}

const part = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString("base64url");
const token = (claims: object = { exp: NOW / 1000 + 3000 }): string =>
  `${part({ alg: "RS256" })}.${part(claims)}.c2ln`;

const form = (fields: Readonly<Record<string, string>>): Buffer =>
  Buffer.from(new URLSearchParams(fields).toString());
const assume = (fields: Readonly<Record<string, string>> = {}): Buffer =>
  form({
    Action: "AssumeRoleWithWebIdentity",
    Version: "2011-06-15",
    RoleArn: ROLE,
    RoleSessionName: "pod-1",
    WebIdentityToken: token(),
    ...fields,
  });

const unsigned = (body: Uint8Array) => ({ method: "POST", query: "", headers: [], body });
async function asked(wireBody: Uint8Array, sts = service(), address = "192.0.2.1") {
  const { status, body } = await sts.answer("request-1", { ...unsigned(wireBody), address });
  return { status, body };
}
const errorXml = (code: string, message: string, type = "Sender"): string =>
  `<ErrorResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><Error><Type>${type}</Type><Code>${code}</Code><Message>${message}</Message></Error><RequestId>request-1</RequestId></ErrorResponse>`;
const field = (xml: string, name: string): string => xml.split(`<${name}>`)[1]?.split(`</${name}>`)[0] ?? "";

describe("AssumeRoleWithWebIdentity", () => {
  test("the AWS SDK's own provider of credentials takes a session for a ServiceAccount's token", async () => {
    const seen: string[] = [];
    const sts = service({
      reviewer: {
        review: async (given) => {
          seen.push(given);
          return WEB;
        },
      },
    });
    const provider = fromWebToken({
      roleArn: ROLE,
      roleSessionName: "pod-1",
      webIdentityToken: token(),
      clientConfig: { region: "us-local-1", endpoint: "http://127.0.0.1:9", requestHandler: handlerOf(sts) },
    });
    const credentials = await provider();
    expect(seen).toEqual([token()]);
    expect(credentials.expiration?.getTime()).toBe(NOW + 3_000_000);
    const { accessKeyId, secretAccessKey, sessionToken } = credentials;
    const found = await sessions.find({ accessKeyId, ...(sessionToken && { sessionToken }) }, NOW);
    expect(found?.caller).toMatchObject({ arn: ROLE, namespace: "shop" });
    expect(Buffer.from(found?.secret.exposeSecretBytes() ?? []).toString()).toBe(secretAccessKey);
  });

  test("the answer names user, role and session as AWS does", async () => {
    const { status, body } = await asked(assume({ DurationSeconds: "900" }));
    expect(status).toBe(200);
    expect(field(body, "Expiration")).toBe("2026-11-30T12:15:00Z");
    expect(field(body, "SubjectFromWebIdentityToken")).toBe("system:serviceaccount:shop:web");
    expect(body).toContain(`<Arn>arn:aws:sts::${ACCOUNT}:assumed-role/shop/web/pod-1</Arn>`);
    expect(field(body, "RequestId")).toBe("request-1");
  });

  test.each([
    ["another ServiceAccount's role", `arn:aws:iam::${ACCOUNT}:role/shop/admin`],
    ["another account's role", "arn:aws:iam::111111111111:role/shop/web"],
    ["a user", `arn:aws:iam::${ACCOUNT}:user/system:serviceaccount:shop:web`],
    ["the account", `arn:aws:iam::${ACCOUNT}:root`],
    ["no ARN", "x".repeat(20)],
  ])("%s => AccessDenied", async (_, RoleArn) => {
    expect(await asked(assume({ RoleArn }))).toEqual({
      status: 403,
      body: errorXml("AccessDenied", "Not authorized to perform sts:AssumeRoleWithWebIdentity"),
    });
  });

  test("a token of a user that is no ServiceAccount => AccessDenied", async () => {
    const alice = service({ reviewer: { review: async () => ({ ...WEB, user: "alice" }) } });
    const answer = await asked(assume({ RoleArn: `arn:aws:iam::${ACCOUNT}:user/alice` }), alice);
    expect(field(answer.body, "Code")).toBe("AccessDenied");
  });

  test("a token that the API server does not know => InvalidIdentityToken", async () => {
    const sts = service({ reviewer: { review: async () => ({ authenticated: false }) } });
    const { status, body } = await asked(assume(), sts);
    expect([status, field(body, "Code")]).toEqual([400, "InvalidIdentityToken"]);
  });

  test.each(["not-a-token", "aa.b", "a.b.c.d", "a..c", "a.{}.c"])(
    "%j, which is no JWT => InvalidIdentityToken, and the API server is not asked",
    async (WebIdentityToken) => {
      const { body } = await asked(
        assume({ WebIdentityToken }),
        service({ reviewer: { review: unexpected } }),
      );
      expect(field(body, "Code")).toBe("InvalidIdentityToken");
    },
  );

  test("a token that has expired => ExpiredTokenException, and the API server is not asked", async () => {
    const WebIdentityToken = token({ exp: NOW / 1000 });
    const { status, body } = await asked(
      assume({ WebIdentityToken }),
      service({ reviewer: { review: unexpected } }),
    );
    expect([status, field(body, "Code")]).toEqual([400, "ExpiredTokenException"]);
    expect(field(body, "Message")).toBe(
      "Token expired: current date/time 1796040000 must be before the expiration date/time 1796040000",
    );
  });

  test("an API server that cannot be asked => IDPCommunicationError, which SDKs retry, and a line in the log", async () => {
    const sts = service({ reviewer: { review: () => Promise.reject(new Error("no route to 10.0.0.1")) } });
    expect(await asked(assume(), sts)).toEqual({
      status: 400,
      body: errorXml("IDPCommunicationError", "The API server could not be asked about the token."),
    });
    expect(reports).toEqual([new Error("no route to 10.0.0.1")]);
  });

  test("no key for sessions => InternalFailure without its reason, and a line in the log", async () => {
    const failing = { issue: () => Promise.reject(new Error("secret reason")) };
    const { status, body } = await asked(assume(), service({ issuer: failing }));
    expect(status).toBe(500);
    expect(body).not.toContain("secret reason");
    expect(field(body, "Code")).toBe("InternalFailure");
    expect(reports).toEqual([new Error("secret reason")]);
  });

  test("no sessions are configured => AccessDenied", async () => {
    expect(await asked(assume(), service({ webIdentity: undefined }))).toEqual({
      status: 403,
      body: errorXml("AccessDenied", "This API gives no sessions."),
    });
  });

  test("more than 16 reviews at once => Throttling", async () => {
    const { promise, resolve } = Promise.withResolvers<Reviewed>();
    const sts = service({ reviewer: { review: () => promise } });
    const waiting = Array.from({ length: 16 }, (_, n) => asked(assume(), sts, `192.0.2.${n + 2}`));
    expect(field((await asked(assume(), sts)).body, "Code")).toBe("Throttling");
    resolve(WEB);
    expect(new Set((await Promise.all(waiting)).map(({ status }) => status))).toEqual(new Set([200]));
    expect((await asked(assume(), sts)).status).toBe(200);
  });

  test("more than 4 reviews at once for one address => Throttling, and other addresses get their sessions", async () => {
    const { promise, resolve } = Promise.withResolvers<Reviewed>();
    const sts = service({ reviewer: { review: () => promise } });
    const flood = Array.from({ length: 40 }, () => asked(assume(), sts));
    const others = Array.from({ length: 12 }, (_, n) => asked(assume(), sts, `2001:db8::${n}`));
    resolve(WEB);
    const statuses = async (answers: typeof flood) =>
      (await Promise.all(answers)).map(({ status }) => status);
    expect((await statuses(flood)).filter((status) => status === 200)).toHaveLength(4);
    expect(new Set(await statuses(others))).toEqual(new Set([200]));
    expect((await asked(assume(), sts)).status).toBe(200);
  });

  test.each([
    [
      { RoleSessionName: "a" },
      "1 validation error detected: Value at &#39;roleSessionName&#39; failed to satisfy constraint: Member must have length greater than or equal to 2",
    ],
    [
      { RoleSessionName: "a b" },
      "1 validation error detected: Value at &#39;roleSessionName&#39; failed to satisfy constraint: Member must satisfy regular expression pattern: [\\w+=,.@-]*",
    ],
    [
      { DurationSeconds: "899" },
      "1 validation error detected: Value &#39;899&#39; at &#39;durationSeconds&#39; failed to satisfy constraint: Member must have value greater than or equal to 900",
    ],
    [
      { DurationSeconds: "43201" },
      "1 validation error detected: Value &#39;43201&#39; at &#39;durationSeconds&#39; failed to satisfy constraint: Member must have value less than or equal to 43200",
    ],
    [
      { DurationSeconds: "3601" },
      "The requested DurationSeconds exceeds the MaxSessionDuration set for this role: 3600.",
    ],
    [{ DurationSeconds: "1h" }, "DurationSeconds is not a number of seconds."],
    [
      { WebIdentityToken: "a".repeat(20_001) },
      "1 validation error detected: Value at &#39;webIdentityToken&#39; failed to satisfy constraint: Member must have length less than or equal to 20000",
    ],
    // A session policy that is ignored would give more than was asked for.
    [{ Policy: "{}" }, "Policy is not supported."],
    [{ "PolicyArns.member.1.arn": "a" }, "PolicyArns is not supported."],
    [{ ProviderId: "www.amazon.com" }, "ProviderId is not supported."],
  ])("%j => ValidationError", async (fields, message) => {
    expect(await asked(assume({ ...fields } as Record<string, string>))).toEqual({
      status: 400,
      body: errorXml("ValidationError", message),
    });
  });
});

describe("GetCallerIdentity", () => {
  const body = form({ Action: "GetCallerIdentity", Version: "2011-06-15" });
  const headers = { "content-type": "application/x-www-form-urlencoded" };

  test("names the caller as grants and policies do", async () => {
    const session = {
      user: WEB.authenticated ? WEB.user : "",
      groups: [],
      name: "pod-1",
      expiresAt: NOW + 900_000,
    };
    const issued = await sessions.issue(session, NOW);
    const signed = await signedHeaders({
      ...issued,
      service: "sts",
      headers,
      body: body.toString(),
      at: NOW,
    });
    const answer = await service().answer("request-1", { ...unsigned(body), headers: signed });
    expect(answer).toMatchObject({
      status: 200,
      body: `<GetCallerIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><GetCallerIdentityResult><Arn>${ROLE}</Arn><UserId>system:serviceaccount:shop:web</UserId><Account>${ACCOUNT}</Account></GetCallerIdentityResult><ResponseMetadata><RequestId>request-1</RequestId></ResponseMetadata></GetCallerIdentityResponse>`,
    });
  });

  test.each([
    ["MissingAuthenticationToken", 403, []],
    ["IncompleteSignature", 400, ["authorization", "AWS4-HMAC-SHA256 x"]],
  ])("%s has STS's own name and status", async (code, status, sent) => {
    const answer = await service().answer("request-1", { ...unsigned(body), headers: sent });
    expect([answer.status, field(answer.body, "Code")]).toEqual([status, code]);
  });

  test("an unknown access key => InvalidClientTokenId; a wrong secret => SignatureDoesNotMatch", async () => {
    const signed = await signedHeaders({ service: "sts", headers, body: body.toString(), at: NOW });
    const unknown = await service().answer("request-1", { ...unsigned(body), headers: signed });
    expect([unknown.status, field(unknown.body, "Code")]).toEqual([403, "InvalidClientTokenId"]);
    const session = { user: "alice", groups: [], name: "pod-1", expiresAt: NOW + 900_000 };
    const issued = await sessions.issue(session, NOW);
    const other = await signedHeaders({
      ...issued,
      secretAccessKey: "other",
      service: "sts",
      headers,
      body: body.toString(),
      at: NOW,
    });
    const wrong = await service().answer("request-1", { ...unsigned(body), headers: other });
    expect([wrong.status, field(wrong.body, "Code")]).toEqual([403, "SignatureDoesNotMatch"]);
  });
});

describe("a form", () => {
  test.each([
    ["Action=GetCallerIdentity&Action=x", "MalformedQueryString", "has a field twice."],
    ["Action=%ff", "MalformedQueryString", "is not percent-encoded UTF-8."],
    ["Action=%", "MalformedQueryString", "is not percent-encoded UTF-8."],
    [Buffer.of(0xff), "MalformedQueryString", "is not UTF-8."],
    ["a&".repeat(60), "MalformedQueryString", "has more than 50 fields."],
    ["a".repeat(65_537), "MalformedQueryString", "has more than 65536 bytes."],
    ["", "MissingAction", "The request has no Action."],
    ["Action=AssumeRole&Version=2011-06-15", "InvalidAction", "Only AssumeRoleWithWebIdentity and"],
    ["Action=GetCallerIdentity", "InvalidAction", "Only AssumeRoleWithWebIdentity and"],
    ["Action=__proto__&Version=2011-06-15", "InvalidAction", "Only AssumeRoleWithWebIdentity and"],
  ])("%.40j => %s", async (body, code, message) => {
    const answer = await asked(Buffer.from(body));
    expect([answer.status, field(answer.body, "Code")]).toEqual([400, code]);
    expect(field(answer.body, "Message")).toContain(message);
  });
});

const unexpected = (): never => {
  throw new Error("the API server was asked");
};

/** Returns a handler of the SDK's requests that answers as the service does. */
function handlerOf(sts: StsService) {
  return {
    async handle(request: { method: string; headers: Record<string, string>; body: Uint8Array }) {
      const { method } = request;
      const body = Buffer.from(request.body);
      const answer = await sts.answer("request-1", {
        method,
        query: "",
        headers: Object.entries(request.headers).flat(),
        body,
      });
      return { response: { statusCode: answer.status, headers: {}, body: new Blob([answer.body]).stream() } };
    },
  };
}
