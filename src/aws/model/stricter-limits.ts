import type { Range } from "./shape.ts";

const upTo100: Range = { min: 1, max: 100 };

/** Limits by operation and member that AWS documents and that are stricter than those of the service model's shapes. */
const STRICTER: ReadonlyMap<string, Range> = new Map([
  ["ListAliases.Limit", upTo100],
  ["ListGrants.Limit", upTo100],
  ["ListRetirableGrants.Limit", upTo100],
  ["ListResourceTags.Limit", { min: 1, max: 50 }],
  ["ScheduleKeyDeletion.PendingWindowInDays", { min: 7, max: 30 }],
]);

/** Returns the stricter limits of a member of an operation's input, if it has any. */
export const stricterLimits = (operation: string, member: string): Range | undefined =>
  STRICTER.get(`${operation}.${member}`);
