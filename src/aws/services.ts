import { join } from "node:path";
import type { ApiConfig } from "../config/aws-config.ts";
import type { NodeConfig } from "../config/config.ts";
import type { LiveKeyring } from "../keyring/live/live-keyring.ts";
import { KEYRING_FILE } from "../keyring/state-folder.ts";
import type { Log } from "../log.ts";
import type { AwsAudit } from "./audit/aws-audit.ts";
import type { Cluster } from "./cluster.ts";
import { Credentials } from "./credentials/credentials.ts";
import { StaticCredentials } from "./credentials/static-credentials.ts";
import type { WireRequest } from "./door/handler.ts";
import type { Reply } from "./door/reply.ts";
import type { AwsGrants } from "./grants/aws-grants.ts";
import { grantOperations } from "./grants/grant-table.ts";
import { AwsKeys } from "./keys/aws-keys.ts";
import { ClusterObjects } from "./management/cluster-objects.ts";
import { FolderObjects } from "./management/folder-objects.ts";
import type { ManagedObjects } from "./management/managed-objects.ts";
import { managementOperations } from "./management/management-table.ts";
import { Access } from "./service/access.ts";
import { Answerer } from "./service/answerer.ts";
import { Authenticator } from "./service/authenticator.ts";
import { KmsService } from "./service/kms-service.ts";
import { standaloneRbac } from "./service/standalone-rbac.ts";
import { SessionCredentials } from "./sessions/session-credentials.ts";
import { SessionKeys } from "./sessions/session-keys.ts";
import { isForm, StsDoor } from "./sts/sts-door.ts";
import type { WebIdentity } from "./sts/sts-service.ts";
import type { Telemetry } from "./telemetry/telemetry.ts";
import type { UsageKeeper } from "./usage/usage-keeper.ts";

export interface ServicesOptions {
  readonly config: NodeConfig;
  readonly api: ApiConfig;
  readonly keyring: LiveKeyring;
  readonly grants: AwsGrants;
  readonly usage: UsageKeeper;
  readonly telemetry: Telemetry;
  readonly log: Log;
  /** Absent without an audit log. */
  readonly audit?: AwsAudit | undefined;
}

/** The services behind one address: KMS, and STS for requests that are forms. */
export class Services {
  readonly #fixed: StaticCredentials | undefined;
  readonly #cluster: Cluster | undefined;
  readonly #kms: Answerer;
  readonly #sts: StsDoor;

  private constructor(options: ServicesOptions, cluster: Cluster | undefined) {
    const { config, api, keyring, grants, usage, telemetry, log, audit } = options;
    const { account, region } = config;
    const site = { account, namespace: api.namespace };
    this.#cluster = cluster;
    this.#fixed =
      api.credentials === undefined ? undefined : new StaticCredentials({ path: api.credentials, ...site });
    const sessions = api.sessions && new SessionCredentials(new SessionKeys(keyring, api.sessions.key), site);
    const credentials = new Credentials(this.#fixed, sessions);
    const find: Credentials["find"] = (name, now) => credentials.find(name, now);
    const service = new KmsService({
      keys: new AwsKeys(keyring, config, usage),
      authenticator: new Authenticator(region, find),
      access: new Access(grants, cluster?.rbac ?? standaloneRbac, telemetry),
      management: managementOf(config, cluster, grants),
      audit,
      now: Date.now,
    });
    this.#kms = new Answerer(service, log, telemetry, audit);
    const webIdentity = webIdentityOf(api, cluster, sessions);
    this.#sts = new StsDoor({ region, account, find, webIdentity, now: Date.now }, log, telemetry, audit);
  }

  /** Throws ConfigInvalid. The Kubernetes client is loaded only if it is used. */
  static async open(options: ServicesOptions): Promise<Services> {
    const { kubeconfig } = options.api;
    if (kubeconfig === undefined) return new Services(options, undefined);
    const { Cluster } = await import("./cluster.ts");
    return new Services(options, new Cluster(kubeconfig, options.log, options.telemetry));
  }

  /** Never rejects. `target` is the X-Amz-Target of the request. */
  answer(id: string, target: string, wire: WireRequest): Promise<Reply> {
    return isForm(wire) ? this.#sts.answer(id, wire) : this.#kms.answer(id, target, wire);
  }

  /** Reads the file of credentials again if it has changed. Throws ConfigInvalid. */
  renewCredentials(): void {
    this.#fixed?.renew();
  }

  close(): void {
    this.#kms.close();
    this.#sts.close();
    this.#cluster?.close();
  }
}

type Management = ReturnType<typeof managementOperations>;

/** Standalone, the folder of manifests has the keys; in a cluster the API server has them, if it can be asked. */
function managementOf(config: NodeConfig, cluster: Cluster | undefined, grants: AwsGrants): Management {
  const objects = objectsOf(config, cluster);
  const managed: Management = objects === undefined ? new Map<never, never>() : managementOperations(objects);
  return new Map([...managed, ...grantOperations(grants, objects)]);
}

function objectsOf(
  { resources, stateDir }: NodeConfig,
  cluster: Cluster | undefined,
): ManagedObjects | undefined {
  if (resources.kind !== "manifests") return cluster && new ClusterObjects(cluster.client);
  return new FolderObjects({ folder: resources.folder, keyring: join(stateDir, KEYRING_FILE) });
}

function webIdentityOf(
  { sessions: configured }: ApiConfig,
  cluster: Cluster | undefined,
  sessions: SessionCredentials | undefined,
): WebIdentity | undefined {
  if (configured === undefined || cluster === undefined || sessions === undefined) return undefined;
  return { reviewer: cluster.tokenReviews(configured.audience), sessions };
}
