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

/** The CPU time of one request's steps, in microseconds. */
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
  const grants = new AwsGrants(keyring, seals);
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

/** Returns the CPU time of one call in microseconds. */
async function microseconds(work: () => unknown): Promise<number> {
  for (let n = 0; n < WARM_UP; n += 1) await work();
  const before = process.threadCpuUsage();
  for (let n = 0; n < CALLS; n += 1) await work();
  const { user, system } = process.threadCpuUsage(before);
  return (user + system) / CALLS;
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

/** The requests that are measured in turn: V8 would remember results for the texts of one request. */
const REQUESTS = 64;

/** Returns a copy whose texts are new, as node:http makes them for each request. */
const fresh = (wire: WireRequest): WireRequest => ({
  ...wire,
  headers: wire.headers.map((text) => Buffer.from(text, "latin1").toString("latin1")),
});

async function measure(
  parts: Parts,
  wires: readonly WireRequest[],
  name: MeasuredOperation,
): Promise<LayerTimes> {
  const { keys, authenticator, access, service } = parts;
  const operation = operationOf(name);
  const [first] = wires;
  if (operation === undefined || first === undefined) throw new Error(`there is no ${name}`);
  const id = randomUUID();
  const now = Date.now();
  let turn = 0;
  const next = (): WireRequest => wires[turn++ % wires.length] ?? first;
  const caller: Caller = await authenticator.authenticate(first, now);
  const request: Request<object> = { id, caller, now, input: validate(name, first.body) };
  const needs = operation.needs(request, keys);
  const output = await (await operation.prepare(request, keys))();
  // Making the texts new is no work of the API.
  const copying = await microseconds(() => fresh(next()));
  const steps = {
    SigV4: (await microseconds(() => authenticator.authenticate(fresh(next()), now))) - copying,
    parsing: await microseconds(() => validate(name, next().body)),
    authorization: await microseconds(() => access.check(request, needs, keys)),
    keyring: await microseconds(() => {
      keys.freshen();
      operation.needs(request, keys);
      // Once before the permissions are checked, and once after.
      return operation.needs(request, keys);
    }),
    cryptography: await microseconds(async () => (await operation.prepare(request, keys))()),
    answer: await microseconds(() => encode(name, output)),
  };
  const whole = (await microseconds(() => service.answer({ id, name, wire: fresh(next()) }))) - copying;
  return { operation: name, steps, whole };
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
    const wires: WireRequest[] = [];
    for (let n = 0; n < REQUESTS; n += 1)
      wires.push(await wireOf(given, name, JSON.parse(encrypted).CiphertextBlob));
    measured.push(await measure(parts, wires, name));
  }
  process.stdout.write(JSON.stringify(measured));
  parts.grants.close();
  parts.keyring.close();
}

const [, program, file] = process.argv;
if (program === import.meta.filename && file !== undefined) await main(file);
