import type { Observed, Sight, Sights } from "./observed.ts";

export type Severity = "error" | "warning";

/** Something that bites or will, and what to do. */
export interface Finding {
  readonly check: string;
  readonly severity: Severity;
  /** What it is about: a file, a resource, a node. */
  readonly object: string;
  readonly message: string;
  readonly remedy: string;
}

export type Problem = Omit<Finding, "check">;

/** A question that is asked of what was observed. */
export interface Check {
  readonly name: string;
  readonly needs: readonly Sight[];
  /** The problems; or, where something that is needed was not seen, undefined. */
  find(observed: Observed, now: Date): readonly Problem[] | undefined;
}

type Seen<S extends Sight> = { readonly [K in S]: Sights[K] };

/** A check by its name, what it must have seen, and what it finds then. */
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
      // Every sight of S is there now, each from the look of its own name.
      return find(seen as Seen<S>, observed, now);
    },
  };
}

/** Whether something holds as a list of at most one problem. */
export const when = (holds: boolean, problem: () => Problem): readonly Problem[] =>
  holds ? [problem()] : [];
