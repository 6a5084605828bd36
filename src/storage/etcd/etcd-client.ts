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

/** What a read of etcd comes to, short of failure. */
export type RangeOutcome =
  | ({ readonly kind: "page"; readonly bytes: number } & RangeResponse)
  /** etcd no longer has the revision that was asked for: begin anew. */
  | { readonly kind: "compacted" }
  /** The answer would be more than claviger takes at once: ask for fewer keys. */
  | { readonly kind: "too-large" };

export interface EtcdClientOptions {
  /** For one call at one endpoint, in milliseconds. */
  readonly deadline?: number;
}

/** A member that does not answer within this is passed over. */
const DEADLINE_MILLISECONDS = 15_000;
/** An election takes about a second; the members are asked again after it. */
const ROUNDS = 3;
const PAUSE_MILLISECONDS = 1_000;
const RANGE = "/etcdserverpb.KV/Range";
/** Another member may do better; so may this one after an election. */
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
  /** The first answer's: a count in parts of two clusters would be of neither. */
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
   * Keys and values in key order; a read of the newest revision is linearizable.
   * Rejects with an Etcd error that names every endpoint and its reason, or with the
   * signal's reason.
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

  /** The outcome at one member, or in words why it has to be passed over. */
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
  // A member that lags behind: the revision came from another one.
  if (code === status.OUT_OF_RANGE && revision > 0) return `${endpoint}: ${details}`;
  if (code === status.RESOURCE_EXHAUSTED && details.includes("larger than max")) {
    if (limit !== 1) return { kind: "too-large" };
    throw new ClavigerError(
      "Etcd",
      `etcd at ${endpoint} holds a value that is larger than claviger reads at once (${details}): no API server writes such values; find it with etcdctl`,
    );
  }
  // A member that is only learning answers no linearizable read.
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
