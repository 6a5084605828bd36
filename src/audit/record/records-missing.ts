import type { AuditSite } from "./api-call.ts";
import type { AuditDoor } from "./audit-record.ts";
import { recordLine } from "./record-line.ts";
import { serviceEvent } from "./service-event.ts";

/** Returns the line that says how many calls at a door have no record. `at` is in epoch milliseconds. */
export const recordsMissing = (
  site: AuditSite,
  door: AuditDoor,
  at: number,
  counts: Readonly<Record<string, number>>,
): string =>
  recordLine(serviceEvent({ site, at, door, keys: [], name: "AuditRecordsMissing", details: counts }));
