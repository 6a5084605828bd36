import type { EtcdConfig } from "../config.ts";
import { ClavigerError } from "../errors.ts";
import type { KubeClient } from "../kube/client.ts";
import { apiResources } from "../storage/api-resources.ts";
import { isKeptPlain, takeCensus } from "../storage/census.ts";
import { EtcdClient } from "../storage/etcd-client.ts";
import type { RewriteFailure, RewriteProgress } from "../storage/rewrite-report.ts";
import { rewrite } from "../storage/rewriter.ts";
import { censusScopeOf, inScope, type Scope } from "../storage/scope.ts";
import { migrate } from "../storage/storage-version-migration.ts";
import type { Round } from "./decide-reencryption.ts";
import type { RewriteRequest, StoredObjects } from "./reencryptor.ts";

/** How many of the objects that could not be written are named in a status. */
const NAMED_FAILURES = 20;

/** The objects behind this node's API server: written again through it, counted in its etcd. */
export class KubeStoredObjects implements StoredObjects {
  readonly #client: KubeClient;
  readonly #etcd: EtcdConfig | undefined;

  constructor(client: KubeClient, etcd: EtcdConfig | undefined) {
    this.#client = client;
    this.#etcd = etcd;
  }

  async rewrite(task: RewriteRequest, options: Parameters<StoredObjects["rewrite"]>[1]): Promise<Round> {
    const { signal, onProgress } = options;
    const all = await apiResources(this.#client, positive(task.resources), signal);
    const resources = all.filter((resource) => inScope(task.resources, resource));
    let latest: Round = { done: 0, failed: 0, failures: [] };
    const follow = (progress: RewriteProgress) => {
      latest = roundOf(progress);
      onProgress(latest);
    };
    const common = { client: this.#client, resources, signal, onProgress: follow };
    const { failed, failures } =
      task.engine === "StorageVersionMigration"
        ? await migrate({ ...common, kmsKeyId: task.kmsKeyId })
        : await rewrite({ ...common, from: task.cursor });
    const { cursor: _, secondsLeft: __, ...counts } = latest;
    return { ...counts, failed, failures: failures.slice(0, NAMED_FAILURES).map(named) };
  }

  async count(resources: Scope, kmsKeyId: string, signal: AbortSignal): Promise<number> {
    if (this.#etcd === undefined) {
      throw new ClavigerError("ConfigInvalid", "etcd is not in the configuration: nothing can be counted");
    }
    const etcd = EtcdClient.open(this.#etcd);
    try {
      const { prefix } = this.#etcd;
      const census = await takeCensus(etcd, censusScopeOf(resources), { prefix, signal });
      const left = census.rows.filter(
        ({ resource, stored }) =>
          !isKeptPlain(resource, stored) && (stored.kind !== "kms-v2" || stored.keyId !== kmsKeyId),
      );
      return left.reduce((sum, { objects }) => sum + objects, census.unlisted);
    } finally {
      etcd.close();
    }
  }
}

const positive = (scope: Scope): string[] => scope.filter((pattern) => !pattern.startsWith("!"));

const roundOf = ({ done, total, ratePerSecond, secondsLeft, failed, cursor }: RewriteProgress): Round => ({
  done,
  total,
  ratePerSecond: Math.round(ratePerSecond),
  ...(secondsLeft !== undefined && { secondsLeft: Math.round(secondsLeft) }),
  failed,
  failures: [],
  ...(cursor.resource !== "" && { cursor }),
});

const named = ({ resource, namespace, name, reason, message }: RewriteFailure) => ({
  object: [resource, [namespace, name].filter((part) => part !== undefined).join("/")].join(" ").trim(),
  reason,
  message,
});
