import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import {
  DescribeKeyCommand,
  EncryptCommand,
  KMSClient,
  type KMSClientConfig,
  ListKeysCommand,
} from "@aws-sdk/client-kms";
import { fromWebToken } from "@aws-sdk/credential-provider-web-identity";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { parseConfig } from "../config/config.ts";
import { AwsKeyring } from "../testing/aws-keyring.ts";
import { type Call, FakeApiServer, json } from "../testing/fake-api-server.ts";
import { freeAddress } from "../testing/free-address.ts";
import { deadline } from "../testing/keyring.ts";
import { runApi } from "./api.ts";
import { exposition } from "./telemetry/exposition.ts";
import type { WorkerReport } from "./telemetry/reports.ts";
import { Totals } from "./telemetry/totals.ts";

const ACCOUNT = "000000000000";
const USER = { username: "system:serviceaccount:shop:web", groups: ["system:serviceaccounts"] };
const Plaintext = Buffer.from("attack at dawn");

let keyring: AwsKeyring;
let server: FakeApiServer;
let ended: AbortController;
let running: Promise<void>[];
let clients: KMSClient[];
let totals: Totals;
/** The verbs that RBAC allows, and all reviews that the API server was asked for. */
let verbs: Set<string>;
let reviews: { readonly kind: string; readonly spec: Record<string, unknown> }[];
beforeEach(async () => {
  keyring = new AwsKeyring();
  server = await FakeApiServer.start();
  ended = new AbortController();
  totals = new Totals(1);
  [running, clients, reviews, verbs] = [[], [], [], new Set(["encrypt"])];
  await keyring.add("aws-sessions");
  await keyring.add("orders");
  server.answer((call) => void review(call));
});
afterEach(async () => {
  for (const client of clients) client.destroy();
  ended.abort();
  await Promise.all(running);
  await server.stop();
  keyring.close();
});

/** Answers as the API server does: it knows one token, and allows what `verbs` has. */
async function review(call: Call): Promise<void> {
  const { kind, spec } = JSON.parse(await call.body);
  reviews.push({ kind, spec });
  const { token, audiences, resourceAttributes } = spec;
  const status =
    kind === "TokenReview"
      ? { authenticated: token === TOKEN, audiences, user: USER }
      : { allowed: verbs.has(resourceAttributes.verb) };
  json({ status }, 201)(call);
}

const part = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString("base64url");
const tokenOf = (subject: string): string =>
  `${part({ alg: "RS256" })}.${part({ sub: subject, exp: Math.floor(Date.now() / 1000) + 3000 })}.c2ln`;
const TOKEN = tokenOf(USER.username);

/** Starts an API, and waits until it is ready. Returns its address. */
async function start(aws = "", more = ""): Promise<string> {
  const endpoint = await launch(aws, more);
  await ready(endpoint);
  return endpoint;
}

const ready = (endpoint: string) =>
  vi.waitFor(async () => expect((await fetch(`${endpoint}/readyz`)).status).toBe(200), deadline);

/** Starts an API. Returns its address. */
async function launch(aws = "", more = ""): Promise<string> {
  const listen = await freeAddress();
  const text = `
apiVersion: config.claviger.dev/v1alpha1
kind: NodeConfig
nodeName: cp-1
stateDir: ./state
seal: { file: { path: ./root.key } }
kubeconfig: ./operator.kubeconfig
aws: { listen: "${listen}", kubeconfig: ${server.kubeconfig}, sessions: { key: apps/aws-sessions }${aws} }${more}
`;
  const config = parseConfig(text, join(keyring.folder, "claviger.yaml"));
  const report = (sent: WorkerReport) => totals.take(0, sent, 0);
  running.push(runApi({ config, log: () => undefined, signal: ended.signal, report }));
  return `http://${listen}`;
}

function client(endpoint: string, credentials: NonNullable<KMSClientConfig["credentials"]>): KMSClient {
  const made = new KMSClient({ endpoint, region: "us-local-1", maxAttempts: 1, credentials });
  clients.push(made);
  return made;
}

const sessionFrom = (endpoint: string, token = TOKEN) =>
  fromWebToken({
    roleArn: `arn:aws:iam::${ACCOUNT}:role/shop/web`,
    roleSessionName: "pod-1",
    webIdentityToken: token,
    clientConfig: { endpoint, region: "us-local-1", maxAttempts: 1 },
  });

const encrypt = new EncryptCommand({ KeyId: "alias/apps/main", Plaintext });

test("an API of a new node is not ready before its operator has recorded all keys and grants", async () => {
  keyring.close();
  keyring = new AwsKeyring({ isNew: true });
  const endpoint = await launch();
  await vi.waitFor(async () => expect((await fetch(`${endpoint}/livez`)).status).toBe(200), deadline);
  expect((await fetch(`${endpoint}/readyz`)).status).toBe(503);
  keyring.follow("MasterKey", "KeyGrant", "KeyPolicy");
  await ready(endpoint);
});

describe("an API with an audit log", () => {
  const folder = () => join(keyring.folder, "log");
  const audit = () => `\naudit: { path: ${folder()}/audit.jsonl }\n`;
  const lines = () => {
    const texts = readFileSync(join(folder(), "audit.jsonl"), "utf8").trim().split("\n");
    return texts.map((line) => JSON.parse(line));
  };

  test("has the record of a call on the disk when the caller has the answer, refused calls too", async () => {
    mkdirSync(folder());
    keyring.alias("main", "orders");
    const endpoint = await start("", audit());
    await client(endpoint, sessionFrom(endpoint)).send(encrypt);
    expect(lines().map(({ eventName }) => eventName)).toEqual([
      "AuditLogStarted",
      "AssumeRoleWithWebIdentity",
      "Encrypt",
    ]);
    const [, issued, used] = lines();
    expect(used.userIdentity.accessKeyId).toBe(issued.responseElements.credentials.accessKeyId);
  });

  test("that cannot be written is not ready after the first call, and is ready once it can be", async () => {
    const endpoint = await start("", audit());
    const refused = client(endpoint, sessionFrom(endpoint)).send(encrypt);
    await expect(refused).rejects.toThrow();
    expect((await fetch(`${endpoint}/readyz`)).status).toBe(503);
    mkdirSync(folder());
    await ready(endpoint);
    expect(lines()).toMatchObject([{ eventName: "AuditLogStarted" }, { eventName: "AuditRecordsMissing" }]);
  });
});

describe("an API of a cluster", () => {
  beforeEach(() => keyring.alias("main", "orders"));

  test("gives a pod a session for its token, and RBAC says what the ServiceAccount may do", async () => {
    const endpoint = await start();
    const web = client(endpoint, sessionFrom(endpoint));
    expect((await web.send(encrypt)).CiphertextBlob).toBeDefined();
    expect(
      reviews.map(({ kind, spec }) => spec.resourceAttributes ?? { kind, audiences: spec.audiences }),
    ).toEqual([
      { kind: "TokenReview", audiences: ["kms.claviger.dev"] },
      {
        group: "kms.claviger.dev",
        resource: "masterkeys",
        verb: "encrypt",
        namespace: "apps",
        name: "orders",
      },
    ]);
    await expect(web.send(new ListKeysCommand({}))).rejects.toMatchObject({
      name: "AccessDeniedException",
      message: expect.stringContaining(
        `User: arn:aws:iam::${ACCOUNT}:role/shop/web is not authorized to perform: kms:ListKeys`,
      ),
    });
  });

  test("accepts a session that another node has given", async () => {
    const [one, two] = [await start(), await start()];
    expect((await client(two, sessionFrom(one)).send(encrypt)).CiphertextBlob).toBeDefined();
  });

  test("gives nobody a session for a token that the API server does not know", async () => {
    const endpoint = await start();
    const forged = client(endpoint, sessionFrom(endpoint, tokenOf("other")));
    await expect(forged.send(encrypt)).rejects.toMatchObject({ name: "InvalidIdentityTokenException" });
  });

  test("allows nothing that the API server could not be asked about", async () => {
    const endpoint = await start();
    const credentials = await sessionFrom(endpoint)();
    server.answer((call) => call.response.destroy());
    await expect(client(endpoint, credentials).send(encrypt)).rejects.toMatchObject({
      name: "DependencyTimeoutException",
    });
  });

  test("counts requests, decisions and questions, and shows nothing of a made-up operation", async () => {
    const endpoint = await start();
    const web = client(endpoint, sessionFrom(endpoint));
    await web.send(encrypt);
    await expect(web.send(new ListKeysCommand({}))).rejects.toThrow("not authorized");
    server.answer((call) => call.response.destroy());
    await expect(web.send(new DescribeKeyCommand({ KeyId: "alias/apps/main" }))).rejects.toThrow("retry");
    const headers = { "x-amz-target": 'TrentService.Made"Up' };
    expect((await fetch(endpoint, { method: "POST", headers })).status).toBe(400);
    ended.abort();
    await Promise.all(running);
    const text = exposition({ totals, now: 0 });
    for (const series of [
      'request_duration_seconds_count{operation="AssumeRoleWithWebIdentity",result="ok"} 1',
      'request_duration_seconds_count{operation="Encrypt",result="ok"} 1',
      'request_duration_seconds_count{operation="ListKeys",result="refused"} 1',
      'request_duration_seconds_count{operation="DescribeKey",result="failed"} 1',
      'request_duration_seconds_count{operation="unknown",result="refused"} 1',
      'errors_total{error="AccessDeniedException"} 1',
      'errors_total{error="MissingAuthenticationTokenException"} 1',
      'decisions_total{effect="allow",rule="rbac"} 1',
      'decisions_total{effect="deny",rule="none"} 1',
      'decisions_total{effect="deny",rule="rbac-unknown"} 1',
      'api_server_question_duration_seconds_count{question="SubjectAccessReview",outcome="answered"} 2',
      'api_server_question_duration_seconds_count{question="SubjectAccessReview",outcome="failed"} 1',
      'api_server_question_duration_seconds_count{question="TokenReview",outcome="answered"} 1',
    ])
      expect(text).toContain(`claviger_aws_${series}\n`);
    expect(text).not.toContain("Made");
  });

  test.each([6, -6])(
    "a client whose clock is %d minutes off works after its first answer",
    async (minutes) => {
      const endpoint = await start();
      const credentials = await sessionFrom(endpoint)();
      const off = new KMSClient({
        endpoint,
        region: "us-local-1",
        credentials,
        maxAttempts: 1,
        systemClockOffset: minutes * 60_000,
      });
      clients.push(off);
      await expect(off.send(encrypt)).rejects.toMatchObject({ name: "InvalidSignatureException" });
      expect((await off.send(encrypt)).CiphertextBlob).toBeDefined();
    },
  );

  test("knows the users of its file of credentials too", async () => {
    const path = join(keyring.folder, "credentials.yaml");
    const entry = {
      accessKeyId: "CLAV0123456789ABCDEF",
      secretAccessKey: "a-secret-of-this-test",
      user: "alice",
      groups: [],
    };
    writeFileSync(path, JSON.stringify([entry]), { mode: 0o600 });
    const endpoint = await start(`, credentials: ${path}`);
    expect((await client(endpoint, entry).send(encrypt)).CiphertextBlob).toBeDefined();
    expect(reviews.at(-1)?.spec).toMatchObject({ user: "alice", groups: ["system:authenticated"] });
  });
});
