import type { MemorySample } from "../proc-status.ts";
import { figure, type Table, times } from "../table.ts";
import type { Measured } from "./aws.ts";
import { LOCAL_KMS } from "./candidates.ts";

const METRICS = [
  { title: "calls/s", of: "rps" },
  { title: "p50", of: "p50" },
  { title: "p99", of: "p99" },
  { title: "CPU µs a call", of: "cpu" },
] as const;

/** Returns a table for each metric, and one of the calls that a core could answer. */
export function callTables(measured: readonly Measured[], names: readonly string[]): Table[] {
  const tables = METRICS.map(({ title, of }) => ({
    header: [title, ...names],
    rows: measured.map((one) => [describe(one), ...names.map((name) => cell(one, of, name))]),
  }));
  return [...tables, perCore(measured, names)];
}

function cell(measured: Measured, metric: (typeof METRICS)[number]["of"], name: string): string {
  const rounds = measured[metric];
  const value = figure(rounds.median(name));
  return name === LOCAL_KMS ? value : `${value} (${times(rounds.ratio(name, LOCAL_KMS))})`;
}

/** The client's CPU time is counted apart: the calls of a core are those of a core that has nothing else to do. */
function perCore(measured: readonly Measured[], names: readonly string[]): Table {
  return {
    header: ["calls/s of a core", ...names, "client's CPU µs a call"],
    rows: measured.map((one) => [
      describe(one),
      ...names.map((name) => figure(1_000_000 / one.cpu.median(name))),
      figure(one.clientCpu.median(names[0] ?? "")),
    ]),
  };
}

const describe = ({ operation, connections }: Measured): string =>
  `${operation}, ${connections} connection${connections === 1 ? "" : "s"}`;

/** Returns the memory of each process after all loads. */
export const memoryTable = (
  measured: readonly { readonly name: string; readonly sample: MemorySample }[],
): Table => ({
  header: ["MB after all loads", "RSS", "RssAnon", "peak RSS"],
  rows: measured.map(({ name, sample: { rss, anonymous, peak } }) => [
    name,
    ...[rss, anonymous, peak].map(figure),
  ]),
});
