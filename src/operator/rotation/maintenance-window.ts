import { Cron } from "croner";
import { messageOf } from "../../errors.ts";
import type { RotationSpec } from "../../resources/schemas/rotation.ts";

type WindowSpec = NonNullable<RotationSpec["window"]>;

const MINUTE = 60_000;

/** When a rotation may begin by itself. */
export type MaintenanceWindow =
  | { readonly kind: "always" }
  /** `firstSince(t)`: the opening at or after t, or the one that is still open at t. Undefined where there is none. */
  | { readonly kind: "scheduled"; readonly firstSince: (time: Date) => Opening | undefined }
  /** The schedule or time zone cannot be read: nothing begins by itself. */
  | { readonly kind: "invalid"; readonly message: string };

export interface Opening {
  readonly from: Date;
  readonly until: Date;
}

/** Reads `spec.rotation.window`. Never throws: what is wrong with it is part of the answer. */
export function maintenanceWindow(spec: WindowSpec | undefined): MaintenanceWindow {
  if (spec === undefined) return { kind: "always" };
  try {
    // paused: it is asked for times only and runs nothing.
    const cron = new Cron(spec.schedule, { mode: "5-part", timezone: spec.timeZone, paused: true });
    // A time zone is looked at when first used, and a date such as 30 February never comes.
    if (cron.nextRun() === null) return { kind: "invalid", message: `${spec.schedule} never comes` };
    const length = spec.durationMinutes * MINUTE;
    return { kind: "scheduled", firstSince: (time) => firstSince(cron, length, time) };
  } catch (error) {
    return { kind: "invalid", message: messageOf(error).replace(/^Cron\w+: /, "") };
  }
}

function firstSince(cron: Cron, length: number, time: Date): Opening | undefined {
  // One millisecond earlier still, as nextRun answers strictly later times.
  const from = cron.nextRun(new Date(time.getTime() - length));
  return from === null ? undefined : { from, until: new Date(from.getTime() + length) };
}
