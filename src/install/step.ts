import type { Change } from "./changes.ts";

/** The decision of a step about what it observed. */
export type StepPlan =
  /** Nothing is left to do. */
  | { readonly kind: "done"; readonly text: string }
  /** These changes are made, and then the step is planned again: it is done only if nothing is left. */
  | { readonly kind: "act"; readonly text: string; readonly changes: readonly Change[] }
  /** Others have to follow, which takes a while. */
  | { readonly kind: "wait"; readonly text: string }
  /** A person has to decide or act; `next` says what to do. */
  | { readonly kind: "blocked"; readonly text: string; readonly next: string };

/** A step of an installation. Planning it observes and changes nothing, so that it can be done any time. */
export interface Step {
  readonly name: string;
  plan(): Promise<StepPlan>;
  /** How long others may take, in milliseconds. */
  readonly patience?: number;
  /** True if the observations of this step exist only after the steps before it. */
  readonly later?: boolean;
}

export const done = (text: string): StepPlan => ({ kind: "done", text });
export const wait = (text: string): StepPlan => ({ kind: "wait", text });
export const blocked = (text: string, next: string): StepPlan => ({ kind: "blocked", text, next });

/** Returns a plan that makes these changes, or that is done if there are none. */
export const actIf = (changes: readonly Change[], doing: string, isDone: string): StepPlan =>
  changes.length === 0 ? done(isDone) : { kind: "act", text: doing, changes };

/** Returns a plan that makes these changes. */
export const act = (text: string, changes: readonly Change[]): StepPlan => ({ kind: "act", text, changes });
