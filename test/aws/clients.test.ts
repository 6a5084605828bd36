import { execFileSync } from "node:child_process";
import { join } from "node:path";
import type { KMSClient } from "@aws-sdk/client-kms";
import { DescribeKeyCommand } from "@aws-sdk/client-kms";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { freeAddress } from "../../src/testing/free-address.ts";
import { run } from "../controlplane/run.ts";
import { eventually } from "../controlplane/wait.ts";
import { ROOT } from "../docs/markdown.ts";
import { keyAlias, masterKey, type Run } from "../standalone/installation.ts";
import { compatibilityPage } from "./compatibility.ts";
import type { Done, Task } from "./encryption-sdk.ts";
import { CALLS, servedOperations } from "./every-operation.ts";
import { GuideFolder, guide, operationsOfGuides } from "./guides.ts";
import { needed, PythonClients } from "./python-clients.ts";
import { StandaloneApi } from "./standalone-api.ts";

/** The keys beside the example's own, by name. Each has an alias of its name. */
const KEYS = {
  agree: { keySpec: "ECC_NIST_P256", keyUsage: "KEY_AGREEMENT" },
  asleep: { enabled: false },
  kem: { keySpec: "ML_KEM_512", keyUsage: "ENCAPSULATE_DECAPSULATE" },
  mac: { keySpec: "HMAC_256", keyUsage: "GENERATE_VERIFY_MAC" },
  other: {},
  rsa: { keySpec: "RSA_2048", keyUsage: "ENCRYPT_DECRYPT" },
  sign: { keySpec: "ECC_NIST_P256", keyUsage: "SIGN_VERIFY" },
};

let api: StandaloneApi;
let serve: Run;
let kms: KMSClient;
let served: readonly string[];
let clients: PythonClients | undefined;
/** The variables by which every client finds the API. */
let environment: Readonly<Record<string, string>>;

beforeAll(async () => {
  const installed = PythonClients.install();
  const manifests = Object.entries(KEYS).flatMap(([name, spec]) => [
    masterKey(name, spec, "default"),
    keyAlias(name, name, "default"),
  ]);
  api = await StandaloneApi.create(...manifests);
  serve = await api.start();
  kms = await api.client();
  for (const name of Object.keys(KEYS))
    await eventually(`there is alias/${name}`, async () => {
      const { KeyMetadata } = await kms.send(new DescribeKeyCommand({ KeyId: `alias/${name}` }));
      return KeyMetadata?.KeyState === (name === "asleep" ? "Disabled" : "Enabled") || undefined;
    });
  served = await servedOperations(kms);
  clients = await installed;
  environment = await environmentOf(api.endpoint);
});
afterAll(() => api[Symbol.asyncDispose]());

async function environmentOf(endpoint: string) {
  const { accessKeyId, secretAccessKey } = await kms.config.credentials();
  return {
    PATH: `${clients === undefined ? "" : `${clients.bin}:`}${process.env.PATH}`,
    HOME: api.installation.dir,
    AWS_ENDPOINT_URL_KMS: endpoint,
    AWS_REGION: "us-local-1",
    AWS_DEFAULT_REGION: "us-local-1",
    AWS_ACCESS_KEY_ID: accessKeyId,
    AWS_SECRET_ACCESS_KEY: secretAccessKey,
  };
}

describe("the AWS SDK for JavaScript", () => {
  it("gets what it asks for from every operation that is served", async () => {
    expect(served.filter((name) => CALLS[name] === undefined)).toEqual([]);
    const made = {};
    const failed: unknown[] = [];
    for (const [name, call] of Object.entries(CALLS).filter(([name]) => served.includes(name)))
      await call(kms, made).catch((error) => failed.push({ name, error }));
    expect(failed).toEqual([]);
  });
});

interface BotoCall {
  readonly operation: string;
  readonly case: string;
  readonly expected: string;
  readonly outcome: string;
}

async function callWithBoto3(python: PythonClients): Promise<readonly BotoCall[]> {
  const options = { env: environment, stdin: JSON.stringify(served), deadline: 300_000 };
  const { code, stdout, stderr } = await run(...python.program("every_operation.py"), options);
  expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
  return stdout
    .trim()
    .split("\n")
    .map((line): BotoCall => JSON.parse(line));
}

/** Returns the outcomes of an operation other than "ok". */
const refusalsOf = (name: string, calls: readonly BotoCall[]): readonly string[] => {
  const outcomes = calls.filter(({ operation }) => operation === name).map(({ outcome }) => outcome);
  return [...new Set(outcomes)].filter((outcome) => outcome !== "ok").sort();
};

describe("boto3", () => {
  it("gets what it asks for, and AWS's error names, as docs/aws-compatibility.md says", async (context) => {
    const calls = await callWithBoto3(needed(clients, context));
    expect(calls.filter(({ expected, outcome }) => expected !== outcome)).toEqual([]);
    const worked = calls.filter(({ outcome }) => outcome === "ok").map(({ operation }) => operation);
    expect([...new Set(worked)].sort()).toEqual(served);
    const refusals = new Map(served.map((name) => [name, refusalsOf(name, calls)] as const));
    expect(served.filter((name) => refusals.get(name)?.length === 0)).toEqual([]);
    // vitest writes the page with --update, and never in CI.
    const page = compatibilityPage({ served, refusals, commands: operationsOfGuides() });
    await expect(page).toMatchFileSnapshot(join(ROOT, "docs", "aws-compatibility.md"));
  });
});

describe("the guides of docs/aws.md", () => {
  let folder: GuideFolder;
  beforeAll(async () => {
    folder = await GuideFolder.create(join(api.installation.dir, "guides"), environment);
  });
  const ended = (stdout: string) => ({ code: 0, stdout: expect.stringMatching(stdout), stderr: "" });

  it("the aws CLI", async (context) => {
    needed(clients, context);
    const [message, signature, keys] = guide("aws-cli");
    if (!message || !signature || !keys)
      throw new Error("the guide of the aws CLI has fewer than three blocks");
    expect(await folder.run(message)).toEqual(ended("^attack at dawn$"));
    expect(await folder.run(signature)).toEqual(ended("^true\nVerified OK\n$"));
    expect(await folder.run(keys)).toEqual(ended("alias/orders.*\n365\narn:aws:kms:\\S+\n$"));
    const text = "aws kms decrypt --ciphertext-blob fileb://message.enc --encryption-context tenant=b";
    const stderr = expect.stringContaining("(InvalidCiphertextException) when calling the Decrypt operation");
    expect(await folder.run({ language: "sh", text })).toEqual({ code: 255, stdout: "", stderr });
  });

  it("the AWS SDKs for JavaScript and Python", async (context) => {
    for (const block of guide("aws-sdk")) expect(await folder.run(block)).toEqual(ended("^a long text\n$"));
    needed(clients, context);
    for (const block of guide("boto3")) expect(await folder.run(block)).toEqual(ended("^a short text\n$"));
  });

  it("the AWS Encryption SDK", async (context) => {
    needed(clients, context);
    const [encrypt, decrypt] = guide("encryption-sdk");
    if (!encrypt || !decrypt)
      throw new Error("the guide of the AWS Encryption SDK has fewer than two blocks");
    const { KeyMetadata } = await kms.send(new DescribeKeyCommand({ KeyId: "alias/orders" }));
    const more = { KEY_ARN: KeyMetadata?.Arn, PYTHONWARNINGS: "ignore" };
    expect(await folder.run(encrypt, more)).toEqual(ended("^$"));
    expect(await folder.run(decrypt, more)).toEqual(ended("^a text of any length\n$"));
  });
});

describe("the AWS Encryption SDKs for JavaScript and Python", () => {
  const ALIAS_ARN = "arn:aws:kms:us-local-1:000000000000:alias/default/orders";
  let keyArn: string;
  let messages: Task["decrypt"];

  const javascript = (task: Task, more: object = {}) =>
    finish([process.execPath, [join(import.meta.dirname, "encryption-sdk.ts")]], task, more);

  const opened = (language: string) => ({
    text: "attack at dawn",
    context: expect.objectContaining({ tenant: "a", language }),
  });

  async function finish([binary, args]: readonly [string, string[]], task: Task, more: object) {
    const env = { ...environment, ...more };
    const { code, stdout, stderr } = await run(binary, args, {
      env,
      stdin: JSON.stringify(task),
      deadline: 120_000,
    });
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    return JSON.parse(stdout) as Done;
  }

  const withKey = ({ encrypted }: Done): Task["decrypt"] =>
    Object.fromEntries(
      Object.entries(encrypted).map(([name, message]) => [
        name,
        { message, key: name === "alias" ? ALIAS_ARN : keyArn },
      ]),
    );

  it("each opens what the other encrypted under a key's ARN and an alias's ARN", async (context) => {
    const python = needed(clients, context);
    const { KeyMetadata } = await kms.send(new DescribeKeyCommand({ KeyId: "alias/orders" }));
    keyArn = KeyMetadata?.Arn ?? "";
    const encrypt = { key: keyArn, alias: ALIAS_ARN };
    const first = await finish(python.program("encryption_sdk.py"), { encrypt, decrypt: {} }, {});
    const second = await javascript({ encrypt, decrypt: withKey(first) });
    expect(second.decrypted).toEqual({ key: opened("python"), alias: opened("python") });
    messages = withKey(second);
    const third = await finish(python.program("encryption_sdk.py"), { encrypt: {}, decrypt: messages }, {});
    expect(third.decrypted).toEqual({ key: opened("javascript"), alias: opened("javascript") });
  });

  it("open it over TLS with a certificate authority of one's own, from claviger api alone", async (context) => {
    const python = needed(clients, context);
    await serve.process.stop();
    const { dir } = api.installation;
    const [cert, key] = [join(dir, "tls.crt"), join(dir, "tls.key")];
    const subject = ["-subj", "/CN=claviger", "-addext", "subjectAltName=IP:127.0.0.1"];
    const curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"];
    execFileSync(
      "openssl",
      ["req", "-x509", ...curve, "-nodes", "-days", "2", "-keyout", key, "-out", cert, ...subject],
      {
        stdio: "ignore",
      },
    );
    const listen = await freeAddress();
    const credentials = "./state/credentials.yaml";
    await api.installation.configure((config) => ({
      ...config,
      aws: { listen, credentials, workers: 1, tls: { cert, key } },
    }));
    await (await api.installation.start("api")).line(/is served at/);
    const tls = { AWS_ENDPOINT_URL_KMS: `https://${listen}` };
    const task = { encrypt: {}, decrypt: messages };
    const both = { key: opened("javascript"), alias: opened("javascript") };
    const one = await finish(python.program("encryption_sdk.py"), task, { ...tls, AWS_CA_BUNDLE: cert });
    expect(one.decrypted).toEqual(both);
    const another = await javascript(task, { ...tls, NODE_EXTRA_CA_CERTS: cert });
    expect(another.decrypted).toEqual(both);
  });
});
