import type { DecidingRule } from "../../access/decide-access.ts";
import { definitions, type MetricName, metricNames, seriesOf } from "./definitions.ts";
import { type Counts, Tally } from "./tally.ts";

/** Events by metric. */
export type Events = { readonly [M in MetricName]: readonly Counts[] };

/** An answer to a request. */
export interface Answered {
  /** The name of an operation that there is; "unknown" for any other. */
  readonly operation: string;
  /** AWS's name of the error, if the answer is one. */
  readonly error?: string | undefined;
  readonly status: number;
}

/** The reason why a request was shed: too many in work, a process that is behind, or no memory for its body. */
export type ShedReason = "in-work" | "load" | "memory";
/** The reason why a request has no record: nobody known has signed it, or too many records wait for the disk. */
export type UnrecordedReason = "backlog" | "unverified";
export type Question = "SubjectAccessReview" | "TokenReview";

const THROTTLED = new Set(["ThrottlingException", "Throttling"]);

/** Returns a tally for each metric. */
export const newTallies = (): { readonly [M in MetricName]: Tally } => ({
  requests: new Tally(),
  durations: new Tally(definitions.durations.buckets),
  errors: new Tally(),
  shed: new Tally(),
  decisions: new Tally(),
  questions: new Tally(definitions.questions.buckets),
  auditWrites: new Tally(definitions.auditWrites.buckets),
  auditDropped: new Tally(),
});

/** Counts the events of one process of the API. */
export class Telemetry {
  readonly #tallies = newTallies();

  /** `began` is of performance.now(). */
  answered({ operation, error, status }: Answered, began: number): void {
    const result = resultOf(status, error);
    this.#tallies.requests.add(result);
    this.#tallies.durations.add(seriesOf(operation, result), secondsSince(began));
    if (error !== undefined) this.#tallies.errors.add(error);
  }

  shed(reason: ShedReason): void {
    this.#tallies.shed.add(reason);
  }

  decided(effect: "allow" | "deny", rule: DecidingRule["kind"]): void {
    this.#tallies.decisions.add(seriesOf(effect, rule));
  }

  /** Counts a record. `began` is of performance.now(). */
  audited(outcome: "written" | "failed", began: number): void {
    this.#tallies.auditWrites.add(outcome, secondsSince(began));
  }

  auditDropped(reason: UnrecordedReason): void {
    this.#tallies.auditDropped.add(reason);
  }

  /** Asks the API server, and counts the question. */
  async asked<T>(question: Question, ask: () => Promise<T>): Promise<T> {
    const began = performance.now();
    const count = (outcome: string) =>
      this.#tallies.questions.add(seriesOf(question, outcome), secondsSince(began));
    try {
      const answer = await ask();
      count("answered");
      return answer;
    } catch (error) {
      count("failed");
      throw error;
    }
  }

  /** Returns the events since the last call. */
  take(): Events {
    const taken = metricNames.map((metric) => [metric, this.#tallies[metric].take()] as const);
    return Object.fromEntries(taken) as Events;
  }
}

const secondsSince = (began: number): number => (performance.now() - began) / 1000;

function resultOf(status: number, error: string | undefined): string {
  if (error === undefined) return "ok";
  if (THROTTLED.has(error)) return "throttled";
  return status >= 500 ? "failed" : "refused";
}
