import { setTimeout as sleep } from "node:timers/promises";
import { ClavigerError } from "../../errors.ts";
import type { KubeClient } from "../../kube/client.ts";
import { KubeError } from "../../kube/kube-error.ts";
import type { ApiResource, Requests } from "../served/discovery.ts";
import { groupResourceText } from "../served/group-resource.ts";
import { isStillStoredAt } from "../served/storage-version.ts";
import {
  migrationObjection,
  STORAGE_VERSION_NOT_SERVED,
  storageVersionChanged,
} from "../served/storage-version-objection.ts";
import { CallLimiter } from "./call-limiter.ts";
import { countObjects } from "./metadata-pages.ts";
import {
  type Migration,
  type MigrationState,
  migrationName,
  migrationState,
  newMigration,
} from "./migration-state.ts";
import { Rate } from "./rate.ts";
import { type RewriteProgress, type RewriteReport, RewriteTally } from "./rewrite-report.ts";

export interface MigrateOptions {
  readonly client: KubeClient;
  readonly resources: readonly ApiResource[];
  /**
   * The key_id under which everything must be stored. It is part of the migrations' names, so that a new
   * leader finds them.
   */
  readonly kmsKeyId: string;
  readonly signal: AbortSignal;
  /** Called after each look at the migrations. */
  readonly onProgress?: (progress: RewriteProgress) => void;
  readonly pollMilliseconds?: number;
}

const MIGRATIONS = "/apis/storagemigration.k8s.io/v1/storageversionmigrations";
const POLL_MILLISECONDS = 2_000;
const LIMITS = { maxParallelism: 4, patienceMilliseconds: 60_000 };

/**
 * Makes kube-controller-manager rewrite these resources: creates a StorageVersionMigration for each, follows
 * it to its end and deletes it. Objects that it migrated count as rewritten, because it does not say which
 * were fresh. It ends a resource's migration at the first object that is refused. It writes at the preferred
 * version, so a custom resource that is stored at another version counts as a failure and is not migrated. If
 * this call is aborted, the migrations continue, and the next call for the same key_id follows them. Throws
 * ServerAway, ApiServer if the API server does not serve migrations (before Kubernetes 1.37), or the signal's
 * reason.
 */
export function migrate(options: MigrateOptions): Promise<RewriteReport> {
  return new Migrator(options).run();
}

/** A resource and the state of its migration. */
interface Pending {
  readonly resource: ApiResource;
  readonly text: string;
  readonly name: string;
  total: number;
  state: MigrationState;
}

class Migrator {
  readonly #options: MigrateOptions;
  readonly #limiter = new CallLimiter(LIMITS);
  readonly #rate = new Rate(performance.now());
  readonly #pending: readonly Pending[];

  constructor(options: MigrateOptions) {
    this.#options = options;
    this.#pending = options.resources.map((resource) => ({
      resource,
      text: groupResourceText(resource),
      name: migrationName(options.kmsKeyId, resource),
      total: 0,
      state: { phase: "Waiting" },
    }));
  }

  async run(): Promise<RewriteReport> {
    const { signal, pollMilliseconds = POLL_MILLISECONDS } = this.#options;
    for (const pending of this.#pending) await this.#prepare(pending);
    while (this.#unfinished().length > 0) {
      for (const pending of this.#unfinished()) await this.#look(pending);
      this.#progress();
      if (this.#unfinished().length > 0) await sleep(pollMilliseconds, undefined, { signal });
    }
    return this.#report();
  }

  #unfinished(): Pending[] {
    return this.#pending.filter(({ state }) => state.phase === "Waiting" || state.phase === "Running");
  }

  /** Refuses a resource whose objects could lose fields. A resource that has no objects is done. */
  async #prepare(pending: Pending): Promise<void> {
    const total = await this.#count(pending.resource);
    pending.total = total ?? 0;
    const message = migrationObjection(pending.resource);
    if (message === undefined) return;
    pending.state =
      total === 0
        ? { phase: "Succeeded" }
        : { phase: "Failed", reason: STORAGE_VERSION_NOT_SERVED, message, left: pending.total };
  }

  /**
   * Creates the migrations that do not exist, also if somebody deleted them, and deletes those that have
   * ended.
   */
  async #look(pending: Pending): Promise<void> {
    const found = await this.#find(pending.name);
    if (found === undefined) return await this.#create(pending);
    pending.state = await this.#checked(migrationState(found), pending.resource);
    if ("total" in pending.state) pending.total = pending.state.total ?? pending.total;
    if (pending.state.phase === "Succeeded" || pending.state.phase === "Failed") {
      await this.#delete(pending.name);
    }
  }

  /** If a version is no longer served, the controller takes its objects for deleted. */
  async #checked(state: MigrationState, resource: ApiResource): Promise<MigrationState> {
    if (state.phase !== "Succeeded") return state;
    if (await isStillStoredAt(this.#requests, resource, this.#options.signal)) return state;
    return { ...state, phase: "Failed", ...storageVersionChanged(resource) };
  }

  async #find(name: string): Promise<Migration | undefined> {
    try {
      // The API server answers with the requested object.
      return (await this.#call("GET", `${MIGRATIONS}/${name}`)) as Migration;
    } catch (error) {
      if (error instanceof KubeError && error.httpStatus === 404) return undefined;
      throw error;
    }
  }

  async #create({ resource }: Pending): Promise<void> {
    try {
      await this.#call("POST", MIGRATIONS, newMigration(this.#options.kmsKeyId, resource));
    } catch (error) {
      if (!(error instanceof KubeError)) throw error;
      if (error.httpStatus === 404) throw notServed(error);
      // Another client created it first.
      if (error.httpStatus !== 409) throw error;
    }
  }

  async #delete(name: string): Promise<void> {
    try {
      await this.#call("DELETE", `${MIGRATIONS}/${name}`);
    } catch (error) {
      if (!(error instanceof KubeError && error.httpStatus === 404)) throw error;
    }
  }

  /** A figure for progress only: a resource that cannot be counted can still be migrated. */
  async #count(resource: ApiResource): Promise<number | undefined> {
    const { client, signal } = this.#options;
    try {
      const list: Parameters<typeof countObjects>[0] = (call, isAnswer) =>
        this.#limiter.run(() => client.request({ ...call, signal }), { signal, isAnswer });
      return await countObjects(list, resource);
    } catch (error) {
      if (error instanceof KubeError) return undefined;
      throw error;
    }
  }

  #call(method: "GET" | "POST" | "DELETE", path: string, body?: object): Promise<unknown> {
    return this.#requests.request({ method, path, ...(body !== undefined && { body }) });
  }

  readonly #requests: Requests = {
    request: (call) => {
      const { client, signal } = this.#options;
      return this.#limiter.run(() => client.request({ ...call, signal }), { signal });
    },
  };

  #progress(): void {
    const now = performance.now();
    const { failed, failures } = this.#report();
    const total = this.#pending.reduce((sum, pending) => sum + pending.total, 0);
    const left = this.#pending.reduce((sum, pending) => sum + leftOf(pending), 0);
    const done = total - left;
    this.#rate.observe(now, done);
    const ratePerSecond = this.#rate.perSecond(now, done);
    const [current = this.#pending.at(-1)] = this.#unfinished();
    const resource = current?.text ?? "";
    this.#options.onProgress?.({
      ...{ resource, done, total, rewritten: done, unchanged: 0, gone: 0, failed, ratePerSecond },
      secondsLeft: ratePerSecond > 0 ? left / ratePerSecond : undefined,
      cursor: { resource },
      failures,
    });
  }

  #report(): RewriteReport {
    const tally = new RewriteTally();
    for (const { text: resource, state } of this.#pending) {
      if (state.phase !== "Failed") continue;
      tally.fail({ resource, reason: state.reason, message: state.message });
    }
    const rewritten = this.#pending.reduce((sum, pending) => sum + pending.total - leftOf(pending), 0);
    return { ...tally.report(), rewritten };
  }
}

function leftOf({ state, total }: Pending): number {
  return state.phase === "Succeeded" ? 0 : state.phase === "Waiting" ? total : (state.left ?? total);
}

function notServed(cause: KubeError): ClavigerError {
  const text =
    "the API server does not serve storagemigration.k8s.io/v1 (Kubernetes 1.37 and later do): set spec.reencryption.engine to Claviger";
  return new ClavigerError("ApiServer", text, { cause });
}
