import { messageOf } from "../../errors.ts";
import { KubeError } from "../../kube/kube-error.ts";
import type { StoredName } from "../served/discovery.ts";

/** A position in a rewrite: everything before it is done, under the key_id of that run. Small, and JSON. */
export interface Cursor {
  /** `secrets`, `deployments.apps`. The resources before it, in the order of their names, are done. */
  readonly resource: string;
  /** The continue token of the current page; left out at the beginning of a resource. */
  readonly continue?: string;
}

/** Numbers of objects by outcome. */
export interface RewriteCounts {
  /** Their resourceVersion changed. */
  readonly rewritten: number;
  /** They were fresh already. */
  readonly unchanged: number;
  /** They were deleted meanwhile. */
  readonly gone: number;
  /** Refused or unreadable; plus one for each resource that could not be listed. */
  readonly failed: number;
}

export interface RewriteProgress extends RewriteCounts {
  /** The current resource. */
  readonly resource: string;
  readonly done: number;
  /** The number of objects in this run, as far as the API server says. */
  readonly total: number;
  /** The rate over the last half minute. */
  readonly ratePerSecond: number;
  /** Undefined until something is done. */
  readonly secondsLeft: number | undefined;
  /** The position at which to continue if the run ends now. */
  readonly cursor: Cursor;
  /** The first objects that failed so far. */
  readonly failures: readonly RewriteFailure[];
}

/** An object that could not be rewritten; or, without a name, a resource that could not be listed. */
export interface RewriteFailure extends Partial<StoredName> {
  readonly resource: string;
  /** Kubernetes' reason, such as `Forbidden`, `Invalid`, `StorageReadError`. */
  readonly reason: string;
  /** Never contains a value of the object. */
  readonly message: string;
}

export interface RewriteReport extends RewriteCounts {
  /** The first failures. */
  readonly failures: readonly RewriteFailure[];
}

export const MAX_NAMED_FAILURES = 50;
const MAX_MESSAGE = 300;

/** Counts the work. Its memory does not grow with the number of objects. */
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

/** Converts a refusal into a failure for the report. */
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

/** Returns a refusal's message, shortened; or only the fields that it is about, if it quotes a value. */
export function publicMessage(message: string, fields: readonly string[]): string {
  if (!QUOTES_A_VALUE.test(message)) return bounded(message);
  return bounded(`what is stored is not valid now${fields.length > 0 ? `: ${fields.join(", ")}` : ""}`);
}

/** k8s.io/apimachinery's field errors have `Invalid value: "…"`, and that value may be a secret. */
const QUOTES_A_VALUE = /\bvalue:|\binvalid:/i;

const bounded = (text: string): string =>
  text.length > MAX_MESSAGE ? `${text.slice(0, MAX_MESSAGE - 1)}…` : text;
