import type { ConditionOperator } from "./condition-operators.ts";

/** A key policy, as it was checked by `readPolicy`. */
export interface Policy {
  readonly statements: readonly Statement[];
}

/** One statement of a policy. */
export interface Statement {
  /** How messages name it: its Sid, or its place if it has none. */
  readonly name: string;
  readonly effect: "Allow" | "Deny";
  readonly principals: Principals;
  readonly actions: Patterns;
  readonly resources: Patterns;
  /** All of them must hold. */
  readonly conditions: readonly Condition[];
}

/** Principals that a statement is about: these, or all but these. */
export interface Principals {
  readonly except: boolean;
  /** ARNs of principals, ARNs of accounts' roots, and "*" for everybody. */
  readonly names: readonly string[];
}

/** Texts that a statement is about: those that match a pattern, or those that match none. */
export interface Patterns {
  readonly except: boolean;
  readonly patterns: readonly string[];
}

/** A condition on one key. */
export interface Condition {
  readonly operator: ConditionOperator;
  /** How the values of a key with several values are taken together; undefined for a key with one value. */
  readonly over: "all" | "any" | undefined;
  /** True if a request without the key fulfils the condition. */
  readonly ifExists: boolean;
  /** The condition key as the policy writes it. */
  readonly key: string;
  readonly values: readonly string[];
}
