/**
 * Measures the steps of requests to the AWS KMS API in this process, without a network, and prints LayerTimes as
 * JSON. Argument: a file with the node, its keys and its administrator.
 */
import { randomUUID } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { Caller } from "../../src/aws/caller.ts";
import { StaticCredentials } from "../../src/aws/credentials/static-credentials.ts";
import type { WireRequest } from "../../src/aws/door/handler.ts";
import { AwsGrants } from "../../src/aws/grants/aws-grants.ts";
import { AwsKeys } from "../../src/aws/keys/aws-keys.ts";
import { encode } from "../../src/aws/model/encode.ts";
import { validate } from "../../src/aws/model/validate.ts";
import type { Request } from "../../src/aws/operations/operation.ts";
import { operationOf } from "../../src/aws/operations/table.ts";
import { Access } from "../../src/aws/service/access.ts";
import { Authenticator } from "../../src/aws/service/authenticator.ts";
import { KmsService } from "../../src/aws/service/kms-service.ts";
import { standaloneRbac } from "../../src/aws/service/standalone-rbac.ts";
import { UsageKeeper } from "../../src/aws/usage/usage-keeper.ts";
import { readConfig } from "../../src/config/config.ts";
import { LiveKeyring } from "../../src/keyring/live/live-keyring.ts";
import { KEYRING_FILE } from "../../src/keyring/state-folder.ts";
import { openSeals } from "../../src/seal/open-seals.ts";
import type { ApiNode } from "./api-node.ts";
import { inputOf, type MeasuredOperation, OPERATIONS } from "./operations.ts";
import { signedRequest } from "./signed-request.ts";

/** The steps of a request, in their order. */
export const STEPS = ["SigV4", "parsing", "authorization", "keyring", "cryptography", "answer"] as const;
export type Step = (typeof STEPS)[number];

/** The microseconds of one request's steps. */
export interface LayerTimes {
  readonly operation: MeasuredOperation;
  readonly steps: Readonly<Record<Step, number>>;
  /** All that a request takes between the body that was read and the answer that is written. */
  readonly whole: number;
}

const WARM_UP = 3_000;
const CALLS = 10_000;

type Given = Pick<ApiNode, "configPath" | "address" | "keys" | "admin">;

/** The parts of the API, as it makes them. */
function open({ configPath }: Given) {
  const config = readConfig(configPath);
  const { api } = config;
  if (api?.credentials === undefined) throw new Error("the API is not configured");
  const path = join(config.stateDir, KEYRING_FILE);
  const seals = openSeals(config);
  const keyring = new LiveKeyring(path, seals);
  const grants = new AwsGrants(path, seals);
  const usage = new UsageKeeper({ stateDir: config.stateDir, slot: 1, log: () => {}, now: Date.now() });
  const site = { account: config.account, namespace: api.namespace };
  const credentials = new StaticCredentials({ path: api.credentials, ...site });
  keyring.start();
  grants.start();
  const keys = new AwsKeys(keyring, config, usage);
  const authenticator = new Authenticator(config.region, (name) => credentials.find(name));
  const access = new Access(grants, standaloneRbac);
  const service = new KmsService({ keys, authenticator, access, management: new Map(), now: Date.now });
  return { keyring, grants, keys, authenticator, access, service };
}

type Parts = ReturnType<typeof open>;

/** Returns the microseconds of one call. */
async function microseconds(work: () => unknown): Promise<number> {
  for (let n = 0; n < WARM_UP; n += 1) await work();
  const began = performance.now();
  for (let n = 0; n < CALLS; n += 1) await work();
  return ((performance.now() - began) * 1000) / CALLS;
}

async function wireOf(given: Given, name: MeasuredOperation, ciphertext: string): Promise<WireRequest> {
  const target = { region: "us-local-1", address: given.address, ...given.admin };
  const text = await signedRequest(target, name, inputOf(name, given.keys, ciphertext));
  const [head = "", body = ""] = text.split("\r\n\r\n");
  const [, ...lines] = head.split("\r\n");
  const headers = lines.flatMap((line) => [
    line.slice(0, line.indexOf(":")),
    line.slice(line.indexOf(":") + 2),
  ]);
  return { method: "POST", query: "", headers, body: Buffer.from(body) };
}

async function measure(parts: Parts, wire: WireRequest, name: MeasuredOperation): Promise<LayerTimes> {
  const { keys, authenticator, access, service } = parts;
  const operation = operationOf(name);
  if (operation === undefined) throw new Error(`there is no ${name}`);
  const id = randomUUID();
  const now = Date.now();
  const caller: Caller = await authenticator.authenticate(wire, now);
  const request: Request<object> = { id, caller, now, input: validate(name, wire.body) };
  const needs = operation.needs(request, keys);
  const output = await (await operation.prepare(request, keys))();
  const steps = {
    SigV4: await microseconds(() => authenticator.authenticate(wire, now)),
    parsing: await microseconds(() => validate(name, wire.body)),
    authorization: await microseconds(() => access.check(request, needs, keys)),
    keyring: await microseconds(() => {
      keys.freshen();
      // Once before the permissions are checked, and once after.
      operation.needs(request, keys);
      return operation.needs(request, keys);
    }),
    cryptography: await microseconds(async () => (await operation.prepare(request, keys))()),
    answer: await microseconds(() => encode(name, output)),
  };
  return { operation: name, steps, whole: await microseconds(() => service.answer({ id, name, wire })) };
}

async function main(file: string): Promise<void> {
  const given: Given = JSON.parse(readFileSync(file, "utf8"));
  const parts = open(given);
  const encrypted = await parts.service.answer({
    ...{ id: randomUUID(), name: "Encrypt" },
    wire: await wireOf(given, "Encrypt", ""),
  });
  const measured: LayerTimes[] = [];
  for (const name of OPERATIONS) {
    const wire = await wireOf(given, name, JSON.parse(encrypted).CiphertextBlob);
    measured.push(await measure(parts, wire, name));
  }
  process.stdout.write(JSON.stringify(measured));
  parts.grants.close();
  parts.keyring.close();
}

const [, program, file] = process.argv;
if (program === import.meta.filename && file !== undefined) await main(file);
