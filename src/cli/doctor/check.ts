import type { NamedCheck } from "../../chain.ts";
import type { Observed, Sight, Sights } from "./observed.ts";

export type Severity = "error" | "warning";

/** A problem, present or coming, and its remedy. */
export interface Finding {
  readonly check: string;
  readonly severity: Severity;
  /** The object that has the problem: a file, a resource, a node. */
  readonly object: string;
  readonly message: string;
  readonly remedy: string;
}

export type Problem = Omit<Finding, "check">;

/** A question that is asked of the observations. */
export interface Check extends NamedCheck<[observed: Observed, now: Date], readonly Problem[]> {
  readonly needs: readonly Sight[];
  /** Returns the problems, or undefined if an observation that the check needs is missing. */
  readonly find: (observed: Observed, now: Date) => readonly Problem[] | undefined;
}

type Seen<S extends Sight> = { readonly [K in S]: Sights[K] };

/**
 * Makes a check from its name, the observations that it needs, and a function that finds problems in them.
 */
export function check<S extends Sight = never>(
  name: string,
  needs: readonly S[],
  find: (seen: Seen<S>, observed: Observed, now: Date) => readonly Problem[],
): Check {
  return {
    name,
    needs,
    find(observed, now) {
      const seen: Partial<Record<Sight, unknown>> = {};
      for (const sight of needs) {
        const look = observed.looks[sight];
        if (look.kind !== "seen") return undefined;
        seen[sight] = look.value;
      }
      // Every sight of S is present now, and each was stored under its own name.
      return find(seen as Seen<S>, observed, now);
    },
  };
}

/** Returns the problem as a list if the condition holds, else an empty list. */
export const when = (holds: boolean, problem: () => Problem): readonly Problem[] =>
  holds ? [problem()] : [];
