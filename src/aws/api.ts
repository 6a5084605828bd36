import { join } from "node:path";
import { nodeLog } from "../audit/log/node-log.ts";
import type { ApiConfig } from "../config/aws-config.ts";
import type { NodeConfig } from "../config/config.ts";
import { ClavigerError } from "../errors.ts";
import { LiveKeyring } from "../keyring/live/live-keyring.ts";
import { KEYRING_FILE } from "../keyring/state-folder.ts";
import { type Log, logStop } from "../log.ts";
import { openSeals } from "../seal/open-seals.ts";
import { AwsAudit } from "./audit/aws-audit.ts";
import { readCredentials } from "./credentials/credentials-file.ts";
import { Door } from "./door/door.ts";
import { Handler } from "./door/handler.ts";
import { TlsFiles } from "./door/tls-files.ts";
import { AwsGrants } from "./grants/aws-grants.ts";
import { keepRenewed, type Renewable } from "./renewing.ts";
import { Services } from "./services.ts";
import { sendReports, type WorkerReport, type WorkerState } from "./telemetry/reports.ts";
import { Telemetry } from "./telemetry/telemetry.ts";
import { UsageKeeper } from "./usage/usage-keeper.ts";

export interface ApiOptions {
  readonly config: NodeConfig;
  readonly log: Log;
  readonly signal: AbortSignal;
  /** The number of this process among those that serve the API on this node, from 0. */
  readonly slot?: number;
  /** Takes the reports for the metrics; left out if nobody serves them. */
  readonly report?: ((report: WorkerReport) => void) | undefined;
}

/** Throws ConfigInvalid if the API is not configured, or a file that it needs cannot be used. */
export function checkApi(config: NodeConfig): void {
  const { tls, credentials } = apiOf(config);
  if (tls !== undefined) new TlsFiles(tls).read();
  if (credentials !== undefined) readCredentials(credentials);
}

function apiOf({ api, path }: NodeConfig): ApiConfig {
  if (api !== undefined) return api;
  throw new ClavigerError("ConfigInvalid", `configuration ${path}: aws.listen is missing`);
}

/**
 * Serves the AWS KMS API of a configuration until aborted. Throws ConfigInvalid or InUse if it cannot start.
 * It reads the keyring as the plugin does, and never touches the plugin.
 */
export async function runApi({ config, log, signal, slot = 0, report }: ApiOptions): Promise<void> {
  const api = apiOf(config);
  const path = join(config.stateDir, KEYRING_FILE);
  const seals = openSeals(config);
  const keyring = new LiveKeyring(path, seals);
  const grants = new AwsGrants(keyring, seals);
  const isGood = (grantId: string) => {
    const row = grants.index.get(grantId);
    return !grants.complete || (row !== undefined && row.ended === undefined);
  };
  const usage = new UsageKeeper({ stateDir: config.stateDir, slot, log, now: Date.now(), isGood });
  const telemetry = new Telemetry();
  const trail = nodeLog(config, log);
  const audit = trail && new AwsAudit({ ...auditOf(config), trail, telemetry, now: Date.now });
  const services = await Services.open({ config, api, keyring, grants, usage, telemetry, log, audit });
  const stopped = logStop(log, "API", signal);
  keyring.start();
  grants.start();
  usage.start();
  try {
    await serve({ api, keyring, grants, services, audit, telemetry, report, log, signal });
  } finally {
    services.close();
    await trail?.close();
    await usage.close();
    grants.close();
    keyring.close();
    stopped();
  }
}

const auditOf = ({ account, region, audit }: NodeConfig) => ({
  site: { account, region },
  unavailable: audit?.unavailable ?? "refuse",
});

interface Parts {
  readonly api: ApiConfig;
  readonly keyring: LiveKeyring;
  readonly grants: AwsGrants;
  readonly services: Services;
  readonly audit: AwsAudit | undefined;
  readonly telemetry: Telemetry;
  readonly report: ApiOptions["report"];
  readonly log: Log;
  readonly signal: AbortSignal;
}

async function serve(parts: Parts): Promise<void> {
  const { api, keyring, grants, services, audit, telemetry, log, signal } = parts;
  // A new node does not have all keys, policies and grants yet: their users would be refused.
  const isReady = () =>
    !signal.aborted &&
    keyring.problem === undefined &&
    audit?.refuses !== true &&
    keyring.hasHadAllKeys &&
    keyring.hasHadAllPolicies &&
    grants.complete;
  const tls = api.tls && new TlsFiles(api.tls);
  const handler = new Handler({
    answer: (id, target, wire) => services.answer(id, target, wire),
    isReady,
    telemetry,
  });
  const door = await Door.open({
    listen: api.listen,
    tls: tls?.read(),
    answer: (request, response) => void handler.handle(request, response),
  });
  log("info", `the AWS KMS API is served at ${tls === undefined ? "http" : "https"}://${api.listen}`, {
    pid: process.pid,
  });
  const state = (): WorkerState => ({
    isReady: isReady(),
    follows: keyring.problem === undefined && grants.problem === undefined,
    inFlight: handler.inFlight,
    connections: door.connections,
    grants: grants.index.size,
  });
  const endReports = parts.report && sendReports(telemetry, state, parts.report);
  const end = keepRenewed(renewablesOf({ keyring, services, audit, tls, door }), log);
  await aborted(signal);
  end();
  await door.drain();
  endReports?.();
}

interface Renewed {
  readonly keyring: LiveKeyring;
  readonly services: Services;
  readonly audit: AwsAudit | undefined;
  readonly tls: TlsFiles | undefined;
  readonly door: Door;
}

const renewablesOf = ({ keyring, services, audit, tls, door }: Renewed): Renewable[] => [
  { name: "credentials", renew: () => services.renewCredentials() },
  {
    name: "tls",
    renew: () => {
      const pair = tls?.renewed();
      if (pair !== undefined) door.renew(pair);
    },
  },
  // The log of the process has its failures already.
  { name: "audit", renew: () => void audit?.noteGap() },
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
