import type { GrantRow } from "../keyring/grant-row.ts";
import {
  type AccessFacts,
  type Asked,
  byRbac,
  type Decision,
  earlierRules,
  type GrantObjection,
  grantsToLookAt,
  objectionToGrant,
} from "./decide-access.ts";

/** A grant that could have allowed the action. Without an objection it allows it. */
export interface GrantLook {
  readonly grant: GrantRow;
  readonly objection?: GrantObjection;
}

/** A rule in the order in which they are asked. */
export interface Step {
  readonly rule: (typeof earlierRules)[number]["name"] | "rbac";
  /** A rule that is not reached comes after the rule that decided. */
  readonly outcome: Decision["effect"] | "passes" | "not-reached";
}

/** A decision with its steps. The decision is `decideAccess`'s. */
export interface Explanation {
  readonly decision: Decision;
  readonly steps: readonly Step[];
  /** The grants that the rule of grants looks at, reached or not. */
  readonly grants: readonly GrantLook[];
}

/** Decides as `decideAccess` does, by the same rules, and says what each rule answered. `now` is in epoch milliseconds. */
export function explainAccess(asked: Asked, facts: AccessFacts, now: number): Explanation {
  let decision: Decision | undefined;
  const steps = [...earlierRules, { name: "rbac", decide: byRbac } as const].map(({ name, decide }): Step => {
    if (decision !== undefined) return { rule: name, outcome: "not-reached" };
    decision = decide(asked, facts, now);
    return { rule: name, outcome: decision?.effect ?? "passes" };
  });
  return { decision: decision ?? byRbac(asked, facts), steps, grants: looksAt(asked, facts, now) };
}

function looksAt(asked: Asked, { grants }: AccessFacts, now: number): readonly GrantLook[] {
  return [...grantsToLookAt(asked, grants)].map((grant) => {
    const objection = objectionToGrant(grant, asked, now);
    return { grant, ...(objection !== undefined && { objection }) };
  });
}
