import type { EtcdConfig, NodeConfig } from "../../config/config.ts";
import { ClavigerError } from "../../errors.ts";
import type { KubeClient } from "../../kube/client.ts";
import { KubeError } from "../../kube/kube-error.ts";
import { type LeaseRef, readLease } from "../../kube/leases.ts";
import { MOST_STRAYS } from "../../resources/schemas/reencryption.ts";
import { type Census, takeCensus } from "../../storage/census/census.ts";
import { type CensusScope, scopeOf } from "../../storage/census/census-scope.ts";
import { countsByKeyId } from "../../storage/census/node-census.ts";
import { readEncryptionConfig, ruleFor } from "../../storage/encryption-config/encryption-config.ts";
import { mustBeEtcdOf, mustBeStoredHere, type Witness } from "../../storage/etcd/etcd-identity.ts";
import { openEtcd } from "../../storage/etcd/open-etcd.ts";
import type { RewriteFailure, RewriteProgress } from "../../storage/rewrite/rewrite-report.ts";
import { rewrite } from "../../storage/rewrite/rewriter.ts";
import { migrate } from "../../storage/rewrite/storage-version-migration.ts";
import { censusScopeOf, inScope, type Scope } from "../../storage/scope.ts";
import { apiResources, namedResources } from "../../storage/served/api-resources.ts";
import type { ApiResource } from "../../storage/served/discovery.ts";
import { groupResourceText, parseGroupResource } from "../../storage/served/group-resource.ts";
import type { RewriteRequest, Round, StoredCount, StoredObjects } from "../../storage/stored-objects.ts";
import { lacksRight } from "./missing-right.ts";
import { RewriterIdentity } from "./rewriter-identity.ts";
import { storedCount, type WriterName } from "./stored-count.ts";

/** The group in a row of a census whose keys do not name the group. */
const UNKNOWN_GROUP = "?";
/** The number of objects that a status names as not writable. */
const NAMED_FAILURES = 20;

/** The objects behind this node's API server: rewritten through it, and counted in its etcd. */
export class KubeStoredObjects implements StoredObjects {
  readonly #client: KubeClient;
  readonly #identity: RewriterIdentity;
  readonly #etcd: NodeConfig["etcd"];
  readonly #encryptionConfig: string | undefined;
  readonly #lease: LeaseRef;

  /** `lease` is a Lease that this node renews. */
  constructor(client: KubeClient, config: NodeConfig, lease: LeaseRef) {
    this.#client = client;
    this.#identity = new RewriterIdentity(client, config);
    this.#etcd = config.etcd;
    this.#encryptionConfig = config.encryptionConfig;
    this.#lease = lease;
  }

  rewrite(task: RewriteRequest, options: Parameters<StoredObjects["rewrite"]>[1]): Promise<Round> {
    // kube-controller-manager migrates with its own rights.
    return task.engine === "StorageVersionMigration"
      ? this.#rewriteAs(this.#client, task, options)
      : this.#identity.use((client) => this.#rewriteAs(client, task, options));
  }

  async #rewriteAs(
    client: KubeClient,
    task: RewriteRequest,
    { signal, onProgress }: Parameters<StoredObjects["rewrite"]>[1],
  ): Promise<Round> {
    const found = await namedResources(client, positive(task.resources), signal);
    const resources = found.resources.filter((resource) => inScope(task.resources, resource));
    const hidden = found.unserved.filter((text) => inScope(task.resources, parseGroupResource(text)));
    let latest: Round = { done: 0, failed: 0, failures: [] };
    const follow = (progress: RewriteProgress) => {
      latest = { ...roundOf(progress), failures: this.#firstNamed(progress.failures) };
      onProgress(latest);
    };
    const common = { client, resources, signal, onProgress: follow };
    const { failed, failures } =
      task.engine === "StorageVersionMigration"
        ? await migrate({ ...common, kmsKeyId: task.kmsKeyId })
        : await rewrite({ ...common, from: task.cursor });
    const { cursor: _, secondsLeft: __, ...counts } = latest;
    const all = [...hidden.map(notServed), ...failures];
    return {
      ...counts,
      failed: failed + hidden.length,
      failures: this.#firstNamed(all),
    };
  }

  async count(scope: Scope, kmsKeyId: string, signal: AbortSignal): Promise<StoredCount> {
    const etcd = this.#etcd;
    if (etcd === undefined) {
      throw new ClavigerError("ConfigInvalid", "etcd is not in the configuration: nothing can be counted");
    }
    const census = await this.#identity.use(async (client) => {
      const resources = await resourcesSeenBy(client, positive(scope), signal);
      return this.#census(etcd, {
        client,
        scope: censusScopeOf(scope),
        resources: resources.filter((one) => inScope(scope, one)),
        signal,
      });
    });
    return storedCount(census, kmsKeyId, this.#writerName());
  }

  async countAll(signal: AbortSignal): Promise<((kmsKeyId: string) => number) | undefined> {
    const etcd = this.#etcd;
    if (etcd === undefined) return undefined;
    return this.#identity.use(async (client) => {
      const resources = await resourcesSeenBy(client, ["*.*"], signal);
      return countsByKeyId(await this.#census(etcd, { client, scope: scopeOf(["*.*"]), resources, signal }));
    });
  }

  /**
   * Uses this node's EncryptionConfiguration: nothing is counted while the nodes' files differ in these
   * names.
   */
  #writerName(): WriterName | undefined {
    if (this.#encryptionConfig === undefined) return undefined;
    const config = readEncryptionConfig(this.#encryptionConfig);
    return (text) => {
      const resource = parseGroupResource(text);
      const writer = resource.group === UNKNOWN_GROUP ? undefined : ruleFor(config, resource)?.providers[0];
      return writer?.kind === "kms" ? writer.name : undefined;
    };
  }

  /** Takes a census that proves something: of the API server's own etcd, in which it stores `resources`. */
  async #census(
    config: EtcdConfig,
    task: {
      readonly client: KubeClient;
      readonly scope: CensusScope;
      readonly resources: readonly ApiResource[];
      readonly signal: AbortSignal;
    },
  ): Promise<Census> {
    const { client, scope, resources, signal } = task;
    const { prefix } = config;
    const etcd = await openEtcd(config);
    try {
      const at = { etcd, prefix, signal };
      await mustBeEtcdOf(this.#witness(signal), at);
      const lasting = resources.filter((resource) => groupResourceText(resource) !== SHORT_LIVED);
      await mustBeStoredHere(lasting, (call) => client.request({ ...call, signal }), at);
      return await takeCensus(etcd, scope, { prefix, signal, examples: MOST_STRAYS });
    } finally {
      etcd.close();
    }
  }

  #witness(signal: AbortSignal): Witness {
    const { namespace, name } = this.#lease;
    const read = async () => (await readLease(this.#client, this.#lease, signal))?.metadata.resourceVersion;
    return { path: `leases/${namespace}/${name}`, read };
  }

  #firstNamed(failures: readonly RewriteFailure[]): Round["failures"] {
    return failures.slice(0, NAMED_FAILURES).map(this.#named);
  }

  readonly #named = ({ resource, namespace, name, reason, message }: RewriteFailure) => ({
    object: [resource, [namespace, name].filter((part) => part !== undefined).join("/")].join(" ").trim(),
    reason,
    message: lacksRight({ message }) ? `${message}; ${this.#identity.rightsRemedy}` : message,
  });
}

/** Returns an empty list if this identity may not ask: deploy/rewriter.yaml gives the right. */
async function resourcesSeenBy(
  client: KubeClient,
  patterns: readonly string[],
  signal: AbortSignal,
): Promise<readonly ApiResource[]> {
  try {
    return await apiResources(client, patterns, signal);
  } catch (error) {
    if (error instanceof KubeError && error.httpStatus === 403) return [];
    throw error;
  }
}

/**
 * Clusters often have events in a separate etcd. They are kept for an hour, and are gone before anything is
 * destroyed.
 */
const SHORT_LIVED = "events";

const positive = (scope: Scope): string[] => scope.filter((pattern) => !pattern.startsWith("!"));

const roundOf = ({ done, total, ratePerSecond, secondsLeft, failed, cursor }: RewriteProgress): Round => ({
  done,
  total,
  ratePerSecond: Math.round(ratePerSecond),
  ...(secondsLeft !== undefined &&
    Number.isSafeInteger(Math.round(secondsLeft)) && { secondsLeft: Math.round(secondsLeft) }),
  failed,
  failures: [],
  ...(cursor.resource !== "" && { cursor }),
});

const notServed = (resource: string): RewriteFailure => ({
  resource,
  reason: "NotServed",
  message:
    "the API server does not let these custom resources be written: it has just started, or their definition is not established or is being deleted",
});
