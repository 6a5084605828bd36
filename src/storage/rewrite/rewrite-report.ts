import { messageOf } from "../../errors.ts";
import { KubeError } from "../../kube/kube-error.ts";
import type { StoredName } from "../served/discovery.ts";

/** A place in a rewrite: everything before it is done, under the key_id of that run. Small, and JSON. */
export interface Cursor {
  /** `secrets`, `deployments.apps`: resources before it, in the order of their names, are done. */
  readonly resource: string;
  /** The continue token of the page that is in hand; left out at a resource's beginning. */
  readonly continue?: string;
}

/** Objects by what became of them. */
export interface RewriteCounts {
  /** Their resourceVersion moved. */
  readonly rewritten: number;
  /** They were fresh already. */
  readonly unchanged: number;
  /** They were deleted meanwhile. */
  readonly gone: number;
  /** Refused or unreadable; also one for each resource that could not be listed. */
  readonly failed: number;
}

export interface RewriteProgress extends RewriteCounts {
  /** The resource in hand. */
  readonly resource: string;
  readonly done: number;
  /** What this run has to do, as far as the API server says. */
  readonly total: number;
  /** Over the last half minute. */
  readonly ratePerSecond: number;
  /** Undefined while nothing is done. */
  readonly secondsLeft: number | undefined;
  /** Where a run that ends now is to begin again. */
  readonly cursor: Cursor;
  /** The first of those that failed so far. */
  readonly failures: readonly RewriteFailure[];
}

/** An object that could not be rewritten; without a name, a whole resource that could not be listed. */
export interface RewriteFailure extends Partial<StoredName> {
  readonly resource: string;
  /** Kubernetes' reason, such as `Forbidden`, `Invalid`, `StorageReadError`. */
  readonly reason: string;
  /** Never holds a value of the object. */
  readonly message: string;
}

export interface RewriteReport extends RewriteCounts {
  /** The first of them. */
  readonly failures: readonly RewriteFailure[];
}

export const MAX_NAMED_FAILURES = 50;
const MAX_MESSAGE = 300;

/** Counts as the work goes on, in memory that does not grow with it. */
export class RewriteTally {
  readonly #counts = { rewritten: 0, unchanged: 0, gone: 0, failed: 0 };
  readonly #failures: RewriteFailure[] = [];

  get done(): number {
    const { rewritten, unchanged, gone, failed } = this.#counts;
    return rewritten + unchanged + gone + failed;
  }

  get counts(): RewriteCounts {
    return { ...this.#counts };
  }

  add(outcome: "rewritten" | "unchanged" | "gone"): void {
    this.#counts[outcome] += 1;
  }

  fail(failure: RewriteFailure): void {
    this.#counts.failed += 1;
    if (this.#failures.length < MAX_NAMED_FAILURES) this.#failures.push(failure);
  }

  report(): RewriteReport {
    return { ...this.#counts, failures: [...this.#failures] };
  }
}

/** A refusal as a report names it. */
export function failureOf(
  resource: string,
  { namespace, name }: Partial<StoredName>,
  error: unknown,
): RewriteFailure {
  return {
    resource,
    ...(namespace !== undefined && { namespace }),
    ...(name !== undefined && { name }),
    ...whyOf(error),
  };
}

function whyOf(error: unknown): Pick<RewriteFailure, "reason" | "message"> {
  if (!(error instanceof KubeError)) return { reason: "Unreachable", message: bounded(messageOf(error)) };
  const { httpStatus, refusal } = error;
  const reason = refusal.reason ?? `HTTP ${httpStatus}`;
  const fields = refusal.causes.flatMap(({ field }) => field ?? []);
  return { reason, message: publicMessage(refusal.message ?? messageOf(error), fields) };
}

/** A refusal's message of bounded length; only the fields that it is about where it quotes a value. */
export function publicMessage(message: string, fields: readonly string[]): string {
  if (!QUOTES_A_VALUE.test(message)) return bounded(message);
  return bounded(`what is stored is not valid now${fields.length > 0 ? `: ${fields.join(", ")}` : ""}`);
}

/** k8s.io/apimachinery's field errors: `Invalid value: "…"`, which may be what is to be kept secret. */
const QUOTES_A_VALUE = /\bvalue:|\binvalid:/i;

const bounded = (text: string): string =>
  text.length > MAX_MESSAGE ? `${text.slice(0, MAX_MESSAGE - 1)}…` : text;
