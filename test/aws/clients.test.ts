import { randomBytes } from "node:crypto";
import { appendFile, readFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import {
  DescribeKeyCommand,
  GenerateRandomCommand,
  KMSClient,
  RotateKeyOnDemandCommand,
} from "@aws-sdk/client-kms";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { selfSigned } from "../../src/testing/certificate.ts";
import { freeAddress } from "../../src/testing/free-address.ts";
import { run } from "../controlplane/run.ts";
import { eventually } from "../controlplane/wait.ts";
import { ROOT } from "../docs/markdown.ts";
import type { Run } from "../standalone/installation.ts";
import { clientKeys, clientKeysServed } from "./client-keys.ts";
import { compatibilityPage } from "./compatibility.ts";
import type { Done, Task } from "./encryption-sdk.ts";
import { type BotoCall, callEveryOperation, callWithBoto3 } from "./every-client.ts";
import { servedOperations } from "./every-operation.ts";
import { GuideFolder, guide, operationsOfGuides } from "./guides.ts";
import { OpenBaoServer } from "./openbao-server.ts";
import { needed, PythonClients } from "./python-clients.ts";
import { sopsBinary } from "./sops.ts";
import { StandaloneApi } from "./standalone-api.ts";
import { TerraformCalls } from "./terraform.ts";

let api: StandaloneApi;
let serve: Run;
let kms: KMSClient;
let served: readonly string[];
let clients: PythonClients | undefined;
/** The variables by which every client finds the API. */
let environment: Readonly<Record<string, string>>;

beforeAll(async () => {
  const installed = PythonClients.install();
  api = await StandaloneApi.create(...clientKeys());
  serve = await api.start();
  kms = await api.client();
  await clientKeysServed(kms);
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
    await callEveryOperation(kms, served);
  });
});

/** Adds a credential of a user without groups, and returns its variables. */
async function addCredential(user: string) {
  const [id, secret] = [randomBytes(10).toString("hex").toUpperCase(), randomBytes(30).toString("base64url")];
  const entry = `- { accessKeyId: "${id}", secretAccessKey: "${secret}", user: ${user} }\n`;
  await appendFile(join(api.installation.stateDir, "credentials.yaml"), entry);
  const credentials = { accessKeyId: id, secretAccessKey: secret };
  const client = new KMSClient({ endpoint: api.endpoint, region: "us-local-1", maxAttempts: 1, credentials });
  await eventually("the API knows the credential", () =>
    client.send(new GenerateRandomCommand({ NumberOfBytes: 1 })).then(
      () => true,
      (error) => error.name === "AccessDeniedException",
    ),
  );
  client.destroy();
  return { AWS_ACCESS_KEY_ID: id, AWS_SECRET_ACCESS_KEY: secret };
}

const keyIdOf = async (KeyId: string): Promise<string> => {
  const { KeyMetadata } = await kms.send(new DescribeKeyCommand({ KeyId }));
  return KeyMetadata?.KeyId ?? "";
};

/** Returns the outcomes of an operation other than "ok". */
const refusalsOf = (name: string, calls: readonly BotoCall[]): readonly string[] => {
  const outcomes = calls.filter(({ operation }) => operation === name).map(({ outcome }) => outcome);
  return [...new Set(outcomes)].filter((outcome) => outcome !== "ok").sort();
};

describe("boto3", () => {
  it("gets what it asks for, and AWS's error names, as docs/aws-compatibility.md says", async (context) => {
    const calls = await callWithBoto3(needed(clients, context), environment, served);
    const refusals = new Map(served.map((name) => [name, refusalsOf(name, calls)] as const));
    expect(served.filter((name) => refusals.get(name)?.length === 0)).toEqual([]);
    // vitest writes the page with --update, and never in CI.
    const page = compatibilityPage({ served, refusals, commands: operationsOfGuides() });
    await expect(page).toMatchFileSnapshot(join(ROOT, "docs", "aws-compatibility.md"));
  });
});

describe("the calls of Terraform's AWS provider", () => {
  let calls: TerraformCalls;
  let keyId: string;
  beforeAll(async () => {
    calls = new TerraformCalls(kms);
    keyId = await calls.createKey();
  });

  it("create and read an aws_kms_key with its policy, which a second plan finds unchanged", async () => {
    const tags = [{ TagKey: "team", TagValue: "shop" }];
    expect(await calls.readKey(keyId)).toMatchObject({
      KeyState: "Enabled",
      MultiRegion: false,
      days: 180,
      tags,
    });
    const { Policy = "" } = await calls.readPolicy(keyId);
    await calls.putPolicy(keyId, Policy);
    expect(JSON.parse((await calls.readPolicy(keyId)).Policy ?? "")).toEqual(JSON.parse(Policy));
  });

  it("a policy with an Id, with texts for lists and without a Version is read as it was written, and leaves nothing to the next", async () => {
    const statement = {
      ...{ Sid: "account", Effect: "Allow", Principal: { AWS: "arn:aws:iam::000000000000:root" } },
      ...{ Action: "kms:*", Resource: "*" },
    };
    const web = {
      Sid: "web",
      Effect: "Allow",
      Principal: { AWS: "arn:aws:iam::000000000000:role/shop/web" },
    };
    const Condition = {
      StringEquals: { "kms:EncryptionContext:tenant": ["a", "b"] },
      Bool: { "aws:SecureTransport": "true" },
    };
    const policies: readonly { readonly Statement: readonly object[] }[] = [
      Object.assign({ Version: "2012-10-17", Id: "first" }, { Statement: [statement] }),
      {
        Statement: [statement, { ...web, Action: ["kms:Encrypt", "kms:Decrypt"], Resource: "*", Condition }],
      },
      Object.assign(
        { Version: "2012-10-17" },
        { Statement: [statement, { ...web, NotAction: "kms:Put*", Resource: ["*"] }] },
      ),
    ];
    for (const policy of policies) {
      await calls.putPolicy(keyId, JSON.stringify(policy));
      expect(JSON.parse((await calls.readPolicy(keyId)).Policy ?? "")).toEqual(policy);
    }
    // A second plan reads everything again, and finds nothing to change.
    const plan = async () => [await calls.readKey(keyId), (await calls.readPolicy(keyId)).Policy];
    expect(await plan()).toEqual(await plan());
    expect(await calls.readKey(keyId)).toMatchObject({
      days: 180,
      tags: [{ TagKey: "team", TagValue: "shop" }],
    });
    await calls.putPolicy(keyId, JSON.stringify({ Version: "2012-10-17", Statement: statement }));
    const { Policy = "" } = await calls.readPolicy(keyId);
    expect(JSON.parse(Policy)).toEqual({ Version: "2012-10-17", Statement: [statement] });
  });

  it("an aws_kms_alias and an aws_kms_grant are read as they were written, and are gone once deleted", async () => {
    const alias = await calls.createAlias("alias/terraform", keyId);
    expect(alias).toMatchObject({ TargetKeyId: keyId, AliasArn: expect.stringContaining("alias/") });
    const terms = {
      GranteePrincipal: "arn:aws:iam::000000000000:role/shop/web",
      Operations: ["Decrypt" as const, "Encrypt" as const],
      Constraints: { EncryptionContextSubset: { tenant: "a" } },
      Name: "web",
    };
    const grant = await calls.createGrant(terms, keyId);
    expect(grant).toMatchObject(terms);
    expect(await calls.deleteGrant(keyId, grant?.GrantId ?? "")).toBeUndefined();
    expect(await calls.deleteAlias("alias/terraform")).toBeUndefined();
  });

  it("change and delete the key", async () => {
    await calls.changeKey(keyId);
    expect(await calls.readKey(keyId)).toMatchObject({
      Description: "changed",
      Enabled: false,
      days: undefined,
    });
    await calls.deleteKey(keyId);
    expect(await calls.readKey(keyId)).toMatchObject({ KeyState: "PendingDeletion" });
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

  it("SOPS", async (context) => {
    needed(clients, context);
    const sops = await sopsBinary();
    if (sops === undefined) return context.skip("sops is built by Go");
    const env = { PATH: `${dirname(sops)}:${environment.PATH}` };
    for (const block of guide("sops")) expect(await folder.run(block, env)).toEqual(ended("^correct horse$"));
    const database = await readFile(join(api.installation.dir, "guides", "database.enc.yaml"), "utf8");
    expect(database).toMatch(/^password: ENC\[AES256_GCM,/m);
    expect(database).toContain("arn: arn:aws:kms:us-local-1:000000000000:key/");
  });

  it("OpenBao, which unseals itself, also after a rotation of the key", async (context) => {
    needed(clients, context);
    const [config, command, first] = guide("openbao");
    if (!config || !command || !first) throw new Error("the guide of OpenBao has fewer than three blocks");
    for (const block of guide("openbao-key")) expect(await folder.run(block)).toEqual(ended("^\\w{64}\n$"));
    const credential = await addCredential("openbao");
    await using bao = await OpenBaoServer.create(folder.withVariables(credential), config, command);
    await bao.start();
    expect(await bao.run(first.text)).toEqual(ended("Sealed +false"));
    await bao.stop();
    await kms.send(new RotateKeyOnDemandCommand({ KeyId: await keyIdOf("alias/openbao") }));
    await bao.start();
    await eventually("OpenBao has unsealed itself", async () => (await bao.run("bao status")).code === 0);
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
    selfSigned({ cert, key });
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
