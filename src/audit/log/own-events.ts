import { fieldsOf } from "../../json.ts";
import type { AuditSite } from "../record/api-call.ts";
import { recordLine } from "../record/record-line.ts";
import { serviceEvent } from "../record/service-event.ts";

/** Why a file of the log was begun. */
export type FileReason =
  | "FirstFile"
  | "PreviousFileFull"
  /** The file of the newest lines was removed or replaced. */
  | "PreviousFileMissing"
  /** Lines that a checkpoint covers are not as they were: `claviger audit verify` names them. */
  | "PreviousFileAltered";

/** The names of the log's records about itself. */
export const LOG_STARTED = "AuditLogStarted";
const FILE_STARTED = "AuditFileStarted";
export const KEY_CHANGED = "AuditSigningKeyChanged";

/** Returns the number that the first line of a file, parsed, says of itself; undefined if it says none. */
export function numberOfFirstLine(line: unknown): number | undefined {
  const { firstLine } = fieldsOf(fieldsOf(line).serviceEventDetails);
  const isNumber = typeof firstLine === "number" && Number.isSafeInteger(firstLine) && firstLine >= 0;
  return isNumber ? firstLine : undefined;
}

interface OwnEvent {
  readonly site: AuditSite;
  /** Epoch milliseconds. */
  readonly at: number;
}

/** Returns the first line of a log. */
export const logStarted = (event: OwnEvent, origin: string, signingKey: string): string =>
  ownLine(event, LOG_STARTED, { origin, firstLine: 0, reason: "FirstFile", signingKey });

/** Returns the first line of a further file of a log. */
export const fileStarted = (event: OwnEvent, origin: string, firstLine: number, reason: FileReason): string =>
  ownLine(event, FILE_STARTED, { origin, firstLine, reason });

/** Returns the first line after a change of the signing key. `previousKey` is null if the former key was lost. */
export const keyChanged = (event: OwnEvent, previousKey: string | null, signingKey: string): string =>
  ownLine(event, KEY_CHANGED, { previousKey, signingKey });

const ownLine = (
  event: OwnEvent,
  name: string,
  details: Readonly<Record<string, string | number | null>>,
): string => recordLine(serviceEvent({ ...event, name, door: "log", keys: [], details }));
