import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { freePort } from "../../test/controlplane/ports.ts";
import { type RunningProcess, startProcess } from "../../test/controlplane/processes.ts";
import { eventually } from "../../test/controlplane/wait.ts";
import type { Bench } from "../part.ts";
import type { Build } from "../plugins.ts";
import { ACCOUNT, type ApiCredential, type ApiNode, makeApiNode, REGION } from "./api-node.ts";
import { call, mustBeReady } from "./call.ts";
import { type KeyIds, SPECS } from "./keys.ts";
import { motoPython } from "./moto.ts";
import { inputOf } from "./operations.ts";
import type { Target } from "./signed-request.ts";

/** The same flags as in the image and in the package's scripts. */
const NODE_FLAGS = ["--max-semi-space-size=1"];

/** A server that does not answer by then will not. */
const PATIENCE = { deadline: 30_000 };

/** A server of AWS KMS with its keys. Two candidates may be callers of one process. */
export interface Candidate extends Target {
  readonly name: string;
  readonly ca?: string | undefined;
  readonly keys: KeyIds;
  readonly process: RunningProcess;
}

/** Servers that answer. Disposing of them stops them. */
export interface Candidates extends AsyncDisposable {
  readonly all: readonly Candidate[];
  /** The node of claviger's API over TLS. */
  readonly node: ApiNode;
}

export const OURS = "claviger";
export const BY_GRANT = "claviger, by a grant";
export const AUDITED = "claviger, audit log";
export const PLAIN = "claviger, HTTP";
export const LOCAL_KMS = "local-kms";
export const MOTO = "moto";

/** Starts all servers and waits until each has encrypted, and claviger's API says that it is ready. */
export async function startCandidates(bench: Bench, dir: string): Promise<Candidates> {
  await mkdir(dir);
  const node = await makeApiNode(join(dir, "secure"), { isSecure: true });
  const plain = await makeApiNode(join(dir, "plain"), { isSecure: false });
  const audited = await makeApiNode(join(dir, "audited"), { isSecure: true, isAudited: true });
  const processes: RunningProcess[] = [];
  const stop = async () => {
    await Promise.all(processes.map((process_) => process_.stop()));
  };
  const started = async (process_: Promise<RunningProcess>) => {
    processes.push(await process_);
    return process_;
  };
  try {
    const secure = await started(startApi(bench.claviger, node));
    const all = [
      await localKms(bench, dir, started),
      await moto(dir, started),
      await answering(OURS, secure, node, node.admin),
      await answering(BY_GRANT, secure, node, node.application),
      await answering(AUDITED, await started(startApi(bench.claviger, audited)), audited, audited.admin),
      await answering(PLAIN, await started(startApi(bench.claviger, plain)), plain, plain.admin),
      ...(await beside(bench, dir, started)),
    ];
    return { all, node, [Symbol.asyncDispose]: stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

type Started = (process_: Promise<RunningProcess>) => Promise<RunningProcess>;

async function beside({ beside: build }: Bench, dir: string, started: Started): Promise<Candidate[]> {
  if (build === undefined) return [];
  const node = await makeApiNode(join(dir, "beside"), { isSecure: true });
  return [await answering(build.name, await started(startApi(build, node)), node, node.admin)];
}

const startApi = ({ folder }: Build, { dir, configPath }: ApiNode): Promise<RunningProcess> =>
  startProcess({
    name: "claviger api",
    binary: process.execPath,
    args: [...NODE_FLAGS, join(folder, "bin", "claviger.js"), "api", "--config", configPath],
    log: join(dir, "api.log"),
    home: dir,
  });

async function answering(
  name: string,
  process_: RunningProcess,
  { address, ca, keys }: ApiNode,
  credential: ApiCredential,
): Promise<Candidate> {
  const candidate = { name, process: process_, address, ca, keys, region: REGION, ...credential };
  await untilAnswering(candidate);
  const ready = async () => {
    await mustBeReady(candidate);
    return true;
  };
  await eventually(`${name} is ready`, ready, PATIENCE);
  return candidate;
}

async function localKms({ peers }: Bench, dir: string, started: Started): Promise<Candidate> {
  const port = await freePort();
  const environment = {
    ...{ PORT: String(port), KMS_REGION: REGION, KMS_ACCOUNT_ID: ACCOUNT },
    ...{ KMS_DATA_PATH: join(dir, "local-kms"), KMS_SEED_PATH: join(dir, "none.yaml") },
  };
  const log = join(dir, "local-kms.log");
  const launch = { name: LOCAL_KMS, binary: peers.localKms, args: [], log, home: dir, environment };
  return withKeys(LOCAL_KMS, port, await started(startProcess(launch)));
}

async function moto(dir: string, started: Started): Promise<Candidate> {
  const port = await freePort();
  const args = ["-m", "moto.server", "-H", "127.0.0.1", "-p", String(port)];
  const log = join(dir, "moto.log");
  // No region of AWS is called us-local-1.
  const environment = { MOTO_ALLOW_NONEXISTENT_REGION: "true" };
  const launch = { name: MOTO, binary: await motoPython(), args, log, home: dir, environment };
  return withKeys(MOTO, port, await started(startProcess(launch)));
}

async function withKeys(name: string, port: number, process_: RunningProcess): Promise<Candidate> {
  const target = {
    ...{ name, address: `127.0.0.1:${port}`, region: REGION, process: process_ },
    ...{ accessKeyId: "AKIDEXAMPLE00000", secretAccessKey: "of-no-meaning" },
  };
  const keys: Record<string, string> = {};
  for (const [key, { keySpec, keyUsage }] of Object.entries(SPECS)) {
    const input = { KeySpec: keySpec, KeyUsage: keyUsage };
    const made = await eventually(`${name} has made a key`, () => call(target, "CreateKey", input), PATIENCE);
    keys[key] = made.KeyMetadata.KeyId;
  }
  const candidate = { ...target, keys: keys as KeyIds };
  await untilAnswering(candidate);
  return candidate;
}

const untilAnswering = (candidate: Candidate) =>
  eventually(
    `${candidate.name} encrypts`,
    () => {
      candidate.process.mustLive();
      return call(candidate, "Encrypt", inputOf("Encrypt", candidate.keys));
    },
    PATIENCE,
  );
