import { type ShownRecord, selectRecords } from "../../audit/show/select-records.ts";
import { printableJson } from "../../printable.ts";
import { parseTime } from "../../times.ts";
import { formatOf, OUTPUT, parseOptions, UsageError } from "../command.ts";
import { print, printAll } from "../terminal/print.ts";
import { table } from "../terminal/table.ts";
import { LOG_OPTIONS, logPathOf } from "./log-option.ts";

const OPTIONS = {
  ...LOG_OPTIONS,
  key: { type: "string" },
  principal: { type: "string" },
  since: { type: "string" },
  until: { type: "string" },
  denied: { type: "boolean" },
  event: { type: "string" },
  output: OUTPUT,
} as const;

/** The rows of the table, the newest; -o json prints all records. */
const MOST_ROWS = 1_000;

/** Prints the wanted records: a table of the newest for people, a line of JSON each for programs. */
export async function show(args: readonly string[]): Promise<void> {
  const { config, log, since, until, output, ...rest } = parseOptions(args, OPTIONS);
  const now = Date.now();
  const wanted = { ...rest, since: momentOf("--since", since, now), until: momentOf("--until", until, now) };
  const format = formatOf(output);
  if (format === "yaml") throw new UsageError("show prints JSON only: -o json");
  const path = logPathOf({ ...(config !== undefined && { config }), ...(log !== undefined && { log }) });
  const records = selectRecords(path, wanted);
  if (format === "json") return printLines(records);
  const rows: ShownRecord[] = [];
  let more = 0;
  for await (const record of records) {
    rows.push(record);
    if (rows.length <= MOST_ROWS) continue;
    rows.shift();
    more += 1;
  }
  print(asTable(rows));
  if (more > 0) print(`${more} earlier records are not shown: name a time, or -o json\n`);
}

async function printLines(records: AsyncIterable<ShownRecord>): Promise<void> {
  for await (const { record } of records) await printAll(`${printableJson(record)}\n`);
}

function asTable(rows: readonly ShownRecord[]): string {
  if (rows.length === 0) return "No record.\n";
  const lines = rows.map(({ time, principal, event, key, outcome, door }) => [
    time,
    principal,
    event,
    key,
    outcome,
    door,
  ]);
  const width = process.stdout.columns;
  return table(["TIME", "PRINCIPAL", "OPERATION", "KEY", "OUTCOME", "DOOR"], lines, {
    whole: ["TIME"],
    ...(width !== undefined && { width }),
  });
}

const UNITS: Readonly<Record<string, number>> = { m: 60_000, h: 3_600_000, d: 86_400_000 };

/** Returns a time in epoch milliseconds. Throws UsageError if it is none. */
function momentOf(option: string, text: string | undefined, now: number): number | undefined {
  if (text === undefined) return undefined;
  const [, count, unit = ""] = /^(\d{1,6})([mhd])$/.exec(text) ?? [];
  const time = count === undefined ? parseTime(text) : now - Number(count) * (UNITS[unit] ?? 0);
  if (time !== undefined) return time;
  throw new UsageError(`${option} takes a time like 2026-12-01T00:00:00Z, or 90m, 12h or 7d ago`);
}
