import { figure, type Table } from "./table.ts";

/** A goal of claviger, and the measured value. */
export interface Goal {
  readonly what: string;
  readonly unit: "×" | " ms" | " MB";
  readonly value: number;
  /** Exactly one of the two. */
  readonly limit: { readonly atMost: number } | { readonly atLeast: number };
}

/** Returns true if the measured value, not its rounded form, is within the limit. */
export function isReached({ value, limit }: Goal): boolean {
  return "atMost" in limit ? value <= limit.atMost : value >= limit.atLeast;
}

export function goalsTable(goals: readonly Goal[]): Table {
  return {
    header: ["goal", "limit", "measured", "reached"],
    rows: goals.map((goal) => [
      goal.what,
      `${"atMost" in goal.limit ? `≤ ${goal.limit.atMost}` : `≥ ${goal.limit.atLeast}`}${goal.unit}`,
      `${figure(goal.value)}${goal.unit}`,
      isReached(goal) ? "yes" : "NO",
    ]),
  };
}
