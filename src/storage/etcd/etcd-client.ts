import { setTimeout as pause } from "node:timers/promises";
import { type ServiceError, status } from "@grpc/grpc-js";
import type { EtcdConfig } from "../../config/config.ts";
import { ClavigerError, messageOf } from "../../errors.ts";
import { type EtcdMember, etcdMembers } from "./etcd-channels.ts";
import {
  decodeRangeResponse,
  encodeRangeRequest,
  type RangeRequest,
  type RangeResponse,
} from "./etcd-messages.ts";

/** The outcome of a read of etcd that did not fail. */
export type RangeOutcome =
  | ({ readonly kind: "page"; readonly bytes: number } & RangeResponse)
  /** etcd has compacted the requested revision: start again. */
  | { readonly kind: "compacted" }
  /** The answer would be larger than claviger accepts: ask for fewer keys. */
  | { readonly kind: "too-large" };

export interface EtcdClientOptions {
  /** The timeout of one call at one endpoint, in milliseconds. */
  readonly deadline?: number;
}

/** A member that does not answer within this time is skipped. */
const DEADLINE_MILLISECONDS = 15_000;
/** An election takes about a second, and the members are asked again after it. */
const ROUNDS = 3;
const PAUSE_MILLISECONDS = 1_000;
const RANGE = "/etcdserverpb.KV/Range";
/** Another member may answer, and so may this member after an election. */
const PASSED_OVER: ReadonlySet<number> = new Set([
  status.UNAVAILABLE,
  status.DEADLINE_EXCEEDED,
  status.INTERNAL,
  status.UNKNOWN,
  status.ABORTED,
]);

/** Reads the API servers' etcd at whichever endpoint answers. It has no call that writes. */
export class EtcdClient {
  readonly #members: readonly EtcdMember[];
  readonly #deadline: number;
  /** The member that answered last is asked first. */
  #first = 0;
  /** The cluster of the first answer. Adding up counts from two clusters would describe neither of them. */
  #cluster: { readonly id: number; readonly endpoint: string } | undefined;

  private constructor(members: readonly EtcdMember[], deadline: number) {
    this.#members = members;
    this.#deadline = deadline;
  }

  /** Reads the certificates and connects at the first call. Throws ConfigInvalid. */
  static open(config: EtcdConfig, { deadline = DEADLINE_MILLISECONDS }: EtcdClientOptions = {}): EtcdClient {
    return new EtcdClient(etcdMembers(config), deadline);
  }

  /**
   * Returns keys and values in key order; a read of the newest revision is linearizable. Rejects with an Etcd
   * error that names every endpoint and its reason, or with the signal's reason.
   */
  async range(request: RangeRequest, signal: AbortSignal): Promise<RangeOutcome> {
    let failures: string[] = [];
    for (let round = 0; round < ROUNDS; round += 1) {
      if (round > 0) await pause(PAUSE_MILLISECONDS, undefined, { signal });
      failures = [];
      for (let tried = 0; tried < this.#members.length; tried += 1) {
        const index = (this.#first + tried) % this.#members.length;
        const outcome = await this.#rangeAt(index, request, signal);
        if (typeof outcome !== "string") {
          this.#first = index;
          return outcome;
        }
        failures.push(outcome);
      }
    }
    throw new ClavigerError(
      "Etcd",
      `no etcd endpoint answers: ${failures.join("; ")}; check etcd.endpoints, its certificates, and etcd itself`,
    );
  }

  close(): void {
    for (const { client } of this.#members) client.close();
  }

  /** Returns the outcome at one member, or the reason why the member is skipped. */
  async #rangeAt(index: number, request: RangeRequest, signal: AbortSignal): Promise<RangeOutcome | string> {
    signal.throwIfAborted();
    const member = this.#members[index];
    if (member === undefined) throw new ClavigerError("Internal", `there is no etcd member ${index}`);
    const { endpoint } = member;
    let outcome: RangeOutcome;
    try {
      outcome = await call(member, request, { signal, deadline: Date.now() + this.#deadline });
    } catch (error) {
      signal.throwIfAborted();
      return failureOf(error, endpoint, request);
    }
    if (outcome.kind === "page") this.#mustBeSameCluster({ id: outcome.clusterId, endpoint });
    return outcome;
  }

  #mustBeSameCluster(answered: { readonly id: number; readonly endpoint: string }): void {
    this.#cluster ??= answered;
    if (this.#cluster.id === answered.id) return;
    throw new ClavigerError(
      "Etcd",
      `${this.#cluster.endpoint} and ${answered.endpoint} are two etcd clusters: etcd.endpoints must name members of one, that of the API servers`,
    );
  }
}

interface CallOptions {
  readonly signal: AbortSignal;
  /** Milliseconds since the epoch. */
  readonly deadline: number;
}

function call(member: EtcdMember, request: RangeRequest, options: CallOptions): Promise<RangeOutcome> {
  const { signal, deadline } = options;
  return new Promise((resolve, reject) => {
    const abort = () => running.cancel();
    const running = member.client.makeUnaryRequest(
      RANGE,
      encodeRangeRequest,
      pageOf,
      request,
      { deadline },
      (error: ServiceError | null, page?: RangeOutcome) => {
        signal.removeEventListener("abort", abort);
        if (error !== null) reject(error);
        else if (page === undefined) reject(new Error("an empty answer"));
        else resolve(page);
      },
    );
    signal.addEventListener("abort", abort, { once: true });
  });
}

const pageOf = (bytes: Buffer): RangeOutcome => ({
  kind: "page",
  bytes: bytes.length,
  ...decodeRangeResponse(bytes),
});

function failureOf(
  error: unknown,
  endpoint: string,
  { revision, limit }: RangeRequest,
): RangeOutcome | string {
  const { code, details } = serviceError(error);
  if (code === status.OUT_OF_RANGE && details.includes("compacted")) return { kind: "compacted" };
  // The member lags behind: the revision came from another member.
  if (code === status.OUT_OF_RANGE && revision > 0) return `${endpoint}: ${details}`;
  if (code === status.RESOURCE_EXHAUSTED && details.includes("larger than max")) {
    if (limit !== 1) return { kind: "too-large" };
    throw new ClavigerError(
      "Etcd",
      `etcd at ${endpoint} holds a value that is larger than claviger reads at once (${details}): no API server writes such values; find it with etcdctl`,
    );
  }
  // A member that is still a learner answers no linearizable read.
  const learns = code === status.FAILED_PRECONDITION && details.includes("learner");
  if (code === undefined || PASSED_OVER.has(code) || learns) return `${endpoint}: ${details}`;
  throw new ClavigerError(
    "Etcd",
    `etcd at ${endpoint} refused to be read: ${details}; check the certificate of etcd.cert and what etcd lets it do`,
    { cause: error },
  );
}

function serviceError(error: unknown): { readonly code: number | undefined; readonly details: string } {
  if (!(error instanceof Error)) return { code: undefined, details: String(error) };
  const { code, details } = error as Partial<ServiceError>;
  return { code, details: details ?? messageOf(error) };
}
