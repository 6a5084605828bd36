import { join } from "node:path";
import type { ApiConfig } from "../config/aws-config.ts";
import type { NodeConfig } from "../config/config.ts";
import { ClavigerError } from "../errors.ts";
import { LiveKeyring } from "../keyring/live/live-keyring.ts";
import { KEYRING_FILE } from "../keyring/state-folder.ts";
import { type Log, logStop } from "../log.ts";
import { openSeals } from "../seal/open-seals.ts";
import { StaticCredentials } from "./credentials/static-credentials.ts";
import { Door } from "./door/door.ts";
import { Handler } from "./door/handler.ts";
import { TlsFiles } from "./door/tls-files.ts";
import { AwsGrants } from "./grants/aws-grants.ts";
import { AwsKeys } from "./keys/aws-keys.ts";
import { FolderObjects } from "./management/folder-objects.ts";
import { managementOperations } from "./management/management-table.ts";
import { keepRenewed, type Renewable } from "./renewing.ts";
import { Access } from "./service/access.ts";
import { Answerer } from "./service/answerer.ts";
import { Authenticator } from "./service/authenticator.ts";
import { KmsService } from "./service/kms-service.ts";
import { standaloneRbac } from "./service/standalone-rbac.ts";
import { UsageKeeper } from "./usage/usage-keeper.ts";

/**
 * Serves the AWS KMS API of a configuration until aborted. Throws ConfigInvalid or InUse if it cannot start.
 * It reads the keyring as the plugin does, and never touches the plugin.
 */
export async function runApi(config: NodeConfig, log: Log, signal: AbortSignal): Promise<void> {
  const { api } = config;
  if (api === undefined)
    throw new ClavigerError("ConfigInvalid", `configuration ${config.path}: aws.listen is missing`);
  const credentials = new StaticCredentials({
    path: api.credentials,
    account: config.account,
    namespace: api.namespace,
  });
  const path = join(config.stateDir, KEYRING_FILE);
  const seals = openSeals(config);
  const keyring = new LiveKeyring(path, seals);
  const grants = new AwsGrants(path, seals);
  const stopped = logStop(log, "API", signal);
  keyring.start();
  grants.start();
  const usage = new UsageKeeper({ stateDir: config.stateDir, log, now: Date.now() }).start();
  const keys = new AwsKeys(keyring, config, usage);
  const answerer = new Answerer(serviceOf({ config, keys, credentials, grants }), log);
  try {
    await serve({ api, keyring, grants, credentials, answerer, log, signal });
  } finally {
    answerer.close();
    await usage.close();
    grants.close();
    keyring.close();
    stopped();
  }
}

interface ServiceParts extends Pick<Parts, "credentials" | "grants"> {
  readonly config: NodeConfig;
  readonly keys: AwsKeys;
}

const serviceOf = ({ config, keys, credentials, grants }: ServiceParts): KmsService =>
  new KmsService({
    keys,
    authenticator: new Authenticator(config.region, (name) => credentials.find(name)),
    access: new Access(grants, standaloneRbac),
    management: managementOf(config),
    now: Date.now,
  });

/** Standalone, the folder of manifests has the keys: the API edits it. */
function managementOf({ resources, stateDir }: NodeConfig): ReturnType<typeof managementOperations> {
  if (resources.kind !== "manifests") return new Map<never, never>();
  const keyring = join(stateDir, KEYRING_FILE);
  return managementOperations(new FolderObjects({ folder: resources.folder, keyring }));
}

interface Parts {
  readonly api: ApiConfig;
  readonly keyring: LiveKeyring;
  readonly grants: AwsGrants;
  readonly credentials: StaticCredentials;
  readonly answerer: Answerer;
  readonly log: Log;
  readonly signal: AbortSignal;
}

async function serve({ api, keyring, grants, credentials, answerer, log, signal }: Parts): Promise<void> {
  const tls = api.tls && new TlsFiles(api.tls);
  const handler = new Handler({
    answer: (id, target, wire) => answerer.answer(id, target, wire),
    // Before all grants are in memory, a caller that has one would be denied.
    isReady: () => !signal.aborted && keyring.problem === undefined && grants.complete,
  });
  const door = await Door.open({
    listen: api.listen,
    tls: tls?.read(),
    answer: (request, response) => void handler.handle(request, response),
  });
  log("info", `the AWS KMS API is served at ${tls === undefined ? "http" : "https"}://${api.listen}`, {
    pid: process.pid,
  });
  const end = keepRenewed(renewablesOf({ keyring, credentials, tls, door }), log);
  await aborted(signal);
  end();
  await door.drain();
}

interface Renewed {
  readonly keyring: LiveKeyring;
  readonly credentials: StaticCredentials;
  readonly tls: TlsFiles | undefined;
  readonly door: Door;
}

const renewablesOf = ({ keyring, credentials, tls, door }: Renewed): Renewable[] => [
  { name: "credentials", renew: () => credentials.renew() },
  {
    name: "tls",
    renew: () => {
      const pair = tls?.renewed();
      if (pair !== undefined) door.renew(pair);
    },
  },
  {
    name: "keyring",
    renew: () => {
      if (keyring.problem !== undefined) throw keyring.problem;
    },
  },
];

function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  return new Promise((resolve) => signal.addEventListener("abort", () => resolve(), { once: true }));
}
