import { Cron } from "croner";
import { messageOf } from "../../errors.ts";
import type { RotationSpec } from "../../resources/schemas/rotation.ts";

type WindowSpec = NonNullable<RotationSpec["window"]>;

const MINUTE = 60_000;

/** The time when a rotation may begin by itself. */
export type MaintenanceWindow =
  | { readonly kind: "always" }
  /**
   * `firstSince(t)` returns the first opening at or after t, or the opening that includes t; undefined if
   * there is none.
   */
  | { readonly kind: "scheduled"; readonly firstSince: (time: Date) => Opening | undefined }
  /** The schedule or time zone cannot be read, so nothing begins by itself. */
  | { readonly kind: "invalid"; readonly message: string };

export interface Opening {
  readonly from: Date;
  readonly until: Date;
}

/** Reads `spec.rotation.window`. Never throws: an error is part of the result. */
export function maintenanceWindow(spec: WindowSpec | undefined): MaintenanceWindow {
  if (spec === undefined) return { kind: "always" };
  try {
    // paused: it only computes times and runs nothing.
    const cron = new Cron(spec.schedule, { mode: "5-part", timezone: spec.timeZone, paused: true });
    // A time zone is only checked on first use, and a date such as 30 February never comes.
    if (cron.nextRun() === null) return { kind: "invalid", message: `${spec.schedule} never comes` };
    const length = spec.durationMinutes * MINUTE;
    return { kind: "scheduled", firstSince: (time) => firstSince(cron, length, time) };
  } catch (error) {
    return { kind: "invalid", message: messageOf(error).replace(/^Cron\w+: /, "") };
  }
}

function firstSince(cron: Cron, length: number, time: Date): Opening | undefined {
  // One millisecond earlier, because nextRun returns strictly later times.
  const from = cron.nextRun(new Date(time.getTime() - length));
  return from === null ? undefined : { from, until: new Date(from.getTime() + length) };
}
