import type { Range } from "./shape.ts";

const upTo100: Range = { min: 1, max: 100 };

/** Limits of a member of an operation's input, if AWS documents stricter limits than those of the member's shape. */
export type StricterLimits = ReadonlyMap<string, Range>;

const NONE: StricterLimits = new Map();

const STRICTER: ReadonlyMap<string, StricterLimits> = new Map([
  ["ListAliases", new Map([["Limit", upTo100]])],
  ["ListGrants", new Map([["Limit", upTo100]])],
  ["ListRetirableGrants", new Map([["Limit", upTo100]])],
  ["ListResourceTags", new Map([["Limit", { min: 1, max: 50 }]])],
  ["ScheduleKeyDeletion", new Map([["PendingWindowInDays", { min: 7, max: 30 }]])],
]);

/** Returns the stricter limits of an operation, by member. */
export const stricterLimits = (operation: string): StricterLimits => STRICTER.get(operation) ?? NONE;
