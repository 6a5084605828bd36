import { fieldsOf, parsedJson } from "../../json.ts";
import { timeOf } from "../../times.ts";
import { fileLines } from "../verify/file-lines.ts";
import { firstLine, openSegments, type Segment } from "../verify/segments.ts";

/** The records that are wanted; all of them if nothing is set. */
export interface Wanted {
  /** A part of a key's ARN or of its name in the request. */
  readonly key?: string | undefined;
  /** A part of a principal's ARN or name. */
  readonly principal?: string | undefined;
  /** Epoch milliseconds. */
  readonly since?: number | undefined;
  readonly until?: number | undefined;
  readonly denied?: boolean | undefined;
  readonly event?: string | undefined;
}

/** A record of the log, for people. Its texts come from callers: print them escaped. */
export interface ShownRecord {
  readonly time: string;
  readonly principal: string;
  readonly event: string;
  readonly key: string;
  readonly outcome: string;
  readonly door: string;
  readonly eventId: string;
  /** The whole record. */
  readonly record: Readonly<Record<string, unknown>>;
}

/** Clocks that were set, and processes that write in turn. */
const SKEW_MILLISECONDS = 3_600_000;

/** Yields the wanted records of a log, the oldest first. Lines that are no records are left out. */
export async function* selectRecords(path: string, wanted: Wanted): AsyncGenerator<ShownRecord> {
  const segments = await openSegments(path);
  try {
    const { closed, newest } = segments;
    const all = [...closed, ...(newest === undefined ? [] : [newest])];
    for (const segment of await withinTimes(all, wanted))
      for await (const lines of fileLines(segment))
        for (const line of lines) {
          const shown = line.kind === "line" ? shownRecord(line.bytes) : undefined;
          if (shown !== undefined && isWanted(shown, wanted)) yield shown;
        }
  } finally {
    segments.close();
  }
}

/** Returns the files that may have records of the wanted times, by the times of their first lines. */
async function withinTimes(all: readonly Segment[], { since, until }: Wanted): Promise<readonly Segment[]> {
  if (since === undefined && until === undefined) return all;
  const starts: number[] = [];
  for (const segment of all) starts.push(timeOf(textOf(fieldsOf(await firstLine(segment)).eventTime)));
  return all.filter((_, at) => {
    const [start, next] = [starts[at] ?? Number.NaN, starts[at + 1] ?? Number.NaN];
    const isBefore = since !== undefined && next < since - SKEW_MILLISECONDS;
    const isAfter = until !== undefined && start > until + SKEW_MILLISECONDS;
    return !isBefore && !isAfter;
  });
}

const textOf = (value: unknown): string => (typeof value === "string" ? value : "");

function shownRecord(line: Buffer): ShownRecord | undefined {
  const record = fieldsOf(parsedJson(line.toString("utf8")));
  if (typeof record.eventName !== "string") return undefined;
  const identity = fieldsOf(record.userIdentity);
  const { door } = fieldsOf(record.additionalEventData);
  return {
    time: textOf(record.eventTime),
    principal: textOf(identity.arn) || textOf(identity.userName) || textOf(identity.invokedBy) || "-",
    event: record.eventName,
    key: keysOf(record)[0] ?? "-",
    outcome: textOf(record.errorCode) || "ok",
    door: textOf(door),
    eventId: textOf(record.eventID),
    record,
  };
}

/** Returns the ARNs of a record's keys, and the name by which the caller asked. */
function keysOf(record: Readonly<Record<string, unknown>>): string[] {
  const resources: readonly unknown[] = Array.isArray(record.resources) ? record.resources : [];
  const { keyId } = fieldsOf(record.requestParameters);
  return [...resources.map((each) => fieldsOf(each).ARN), keyId].filter((name) => typeof name === "string");
}

function isWanted(shown: ShownRecord, { key, principal, since, until, denied, event }: Wanted): boolean {
  const at = timeOf(shown.time);
  const { arn, userName, principalId, accessKeyId } = fieldsOf(shown.record.userIdentity);
  return (
    (since === undefined || at >= since) &&
    (until === undefined || at <= until) &&
    (event === undefined || shown.event === event) &&
    (denied !== true || shown.outcome.startsWith("AccessDenied")) &&
    (key === undefined || keysOf(shown.record).some((name) => name.includes(key))) &&
    (principal === undefined ||
      [shown.principal, arn, userName, principalId, accessKeyId].some((name) =>
        textOf(name).includes(principal),
      ))
  );
}
