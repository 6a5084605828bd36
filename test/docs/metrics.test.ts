import { globSync } from "node:fs";
import { basename } from "node:path";
import { describe, expect, it } from "vitest";
import { rows as rowsOfDashboard } from "../../scripts/dashboard-panels.ts";
import { loadOperatorMetrics } from "../../src/operator/metrics.ts";
import { loadPluginMetrics } from "../../src/plugin/metrics.ts";
import { rules } from "../alerts/rules.ts";
import { ROOT, read } from "./markdown.ts";
import { everyAwsMetric, everyStatus, observedCall, servedProvider } from "./metric-samples.ts";

const page = read("docs/metrics.md");

/** Returns the section of the page under a heading. */
const section = (heading: string): string =>
  page.split(new RegExp(`^## ${heading}$`, "m"))[1]?.split(/^## /m)[0] ?? "";

/** A metric as a table of the page or a rendered text has it. Labels are undefined if no series shows them. */
interface Metric {
  readonly name: string;
  readonly type: string;
  readonly labels?: readonly string[];
}

const cells = (row: string): string[] =>
  row
    .split(/(?<!\\)\|/)
    .slice(1, -1)
    .map((cell) => cell.trim());
const rows = (heading: string): string[][] =>
  [...section(heading).matchAll(/^\| [`[].*$/gm)].map(([row]) => cells(row));
const spans = (text: string): string[] => [...text.matchAll(/`([^`]+)`/g)].map(([, span = ""]) => span);

const documented = (heading: string): Metric[] =>
  rows(heading).map(([name = "", type = "", labels = ""]) => ({
    name: spans(name)[0] ?? "",
    type: type.split(",")[0] ?? "",
    labels: spans(labels).sort(),
  }));

const ofNode = rows("Metrics of all three").map(([name = "", type = ""]) => ({
  name: spans(name)[0] ?? "",
  type,
}));

/** Returns the metrics of a rendered text, with the labels that their first series has. */
function rendered(text: string): Metric[] {
  return [...text.matchAll(/^# TYPE (\S+) (\S+)$/gm)].map(([, name = "", type = ""]) => {
    const series = new RegExp(`^${name}(?:_count)?(?:\\{(.*)\\})? \\S+$`, "m").exec(text);
    const labels = [...(series?.[1] ?? "").matchAll(/(\w+)="/g)].map(([, label = ""]) => label);
    return { name, type, ...(series !== null && { labels: labels.sort() }) };
  });
}

const byName = <T extends Metric>(metrics: readonly T[]): T[] =>
  metrics.toSorted((a, b) => a.name.localeCompare(b.name));
const own = ({ name }: Metric): boolean => name.startsWith("claviger_");

const plugin = await loadPluginMetrics({ providers: () => [servedProvider], versions: () => 1 });
plugin.observe(observedCall);
const operator = await loadOperatorMetrics({
  leading: () => true,
  view: () => everyStatus,
  failures: () => 0,
  conflicts: () => 0,
  waiting: () => 0,
  certificates: () => [{ path: "/etc/claviger/kubeconfig", expiresAt: 0 }],
});
const exposed = {
  plugin: rendered(await plugin.render()),
  operator: rendered(await operator()),
  "AWS KMS API": rendered(everyAwsMetric()),
};
const exposers = ["plugin", "operator", "AWS KMS API"] as const;

describe("docs/metrics.md", () => {
  it.each(exposers)("has every metric of the %s with its type and labels, and no other", (process) => {
    expect(byName(documented(`Metrics of the ${process}`))).toEqual(byName(exposed[process].filter(own)));
  });

  it("has every metric of Node.js and of the process, and no other", () => {
    for (const metrics of [exposed.plugin, exposed.operator]) {
      const found = metrics.filter((metric) => !own(metric)).map(({ name, type }) => ({ name, type }));
      expect(byName(ofNode)).toEqual(byName(found));
    }
  });

  it("gives each metric a unit that its name ends with", () => {
    const suffix = new Map([
      ["seconds", /_seconds(_total)?$/],
      ["Unix time", /_timestamp_seconds$/],
    ]);
    const all = exposers.flatMap((process) => rows(`Metrics of the ${process}`));
    for (const [name = "", type = ""] of all)
      expect(spans(name)[0]).toMatch(suffix.get(type.split(", ")[1] ?? "") ?? /./);
  });
});

const all = Object.values(exposed).flat();
const labelsIn = (expr: string): string[] => [
  ...[...expr.matchAll(/(\w+)(?:!?=~?|!~)"/g)].map(([, label = ""]) => label),
  ...[...expr.matchAll(/by \(([^)]+)\)/g)].flatMap(([, list = ""]) => list.split(", ")),
];

/** Returns the metrics and labels of an expression that neither claviger nor Prometheus has. */
function unknownIn(expr: string): string[] {
  const ofPrometheus = ["instance", "job", "le", "alertname", "alertstate"];
  const known = new Set([...ofPrometheus, ...all.flatMap(({ labels = [] }) => labels)]);
  const names = [...expr.matchAll(/\b(?:claviger|nodejs|process)_[a-z0-9_]+/g)].map(([name]) =>
    name.replace(/_(?:bucket|count|sum)$/, ""),
  );
  return [
    ...names.filter((name) => !all.some((metric) => metric.name === name)),
    ...labelsIn(expr).filter((label) => !known.has(label)),
  ];
}

describe("the dashboard", () => {
  const panels = rowsOfDashboard.flatMap(({ panels }) => panels);

  it.each(panels)(
    "$title: its query reads metrics and labels that there are, and its legend what is left of them",
    ({ expr, legend }) => {
      expect(unknownIn(expr)).toEqual([]);
      const shown = [...legend.matchAll(/\{\{(\w+)\}\}/g)].map(([, label = ""]) => label);
      const left = /\bby \(/.test(expr) ? labelsIn(expr) : ["job", "instance"];
      expect(shown.filter((label) => !left.includes(label))).toEqual([]);
    },
  );

  it("shows each kind of metric of claviger, or an alert does", () => {
    const queries = [...panels, ...rules].map(({ expr }) => expr).join(" ");
    const unseen = all.filter((metric) => own(metric) && !queries.includes(metric.name));
    // They count for somebody who looks for a reason.
    expect(unseen.map(({ name }) => name)).toEqual([
      "claviger_kms_audit_lost_total",
      "claviger_keyring_versions",
      "claviger_key_deletion_blocked",
      "claviger_key_aliases",
      "claviger_aws_audit_dropped_total",
      "claviger_aws_connections",
      "claviger_aws_grants",
    ]);
  });
});

describe("deploy/prometheus-rules.yaml", () => {
  it("gives every alert a name of its own", () => {
    const names = rules.map(({ alert }) => alert);
    expect(names.filter((name) => !/^Claviger[A-Z][A-Za-z]+$/.test(name))).toEqual([]);
    expect(new Set(names).size).toBe(names.length);
  });

  it.each(rules)("$alert has a severity, a summary, a description and its runbook", (rule) => {
    expect(rule.labels).toEqual({ severity: expect.stringMatching(/^(critical|warning)$/) });
    expect(rule.annotations).toEqual({
      summary: expect.stringMatching(/^.{10,80}$/),
      description: expect.stringMatching(/^.{40,400}\.$/),
      runbook_url: `https://claviger.dev/docs/runbooks/${rule.alert}.md`,
    });
  });

  it.each(rules)("$alert reads metrics and labels that there are", ({ expr, annotations }) => {
    expect(unknownIn(expr)).toEqual([]);
    const used = labelsIn(expr);
    const shown = [...(annotations.description ?? "").matchAll(/\$labels\.(\w+)/g)].map(([, label]) => label);
    const kept = expr.startsWith("up{") ? ["job", "instance"] : used;
    expect(shown.filter((label) => !kept.includes(label ?? ""))).toEqual([]);
  });

  it("is the table of alerts in docs/metrics.md, row by row", () => {
    const table = rows("Alerts").map(([link, severity, expression = ""]) => ({
      link,
      severity,
      expression: expression.replaceAll("\\|", "|"),
    }));
    expect(table).toEqual(
      rules.map(({ alert, labels, expr, for: duration }) => ({
        link: `[${alert}](runbooks/${alert}.md)`,
        severity: labels.severity,
        expression: `\`${expr}\`${duration === undefined ? "" : ` for ${spaced(duration)}`}`,
      })),
    );
  });
});

const spaced = (duration: string): string => duration.replace(/(?<=\d)(?=[a-z])/, " ");

describe("docs/runbooks", () => {
  it("has a runbook for each alert, and no other", () => {
    const names = globSync("docs/runbooks/*.md", { cwd: ROOT }).map((path) => basename(path, ".md"));
    expect(names.sort()).toEqual(rules.map(({ alert }) => alert).sort());
  });

  it.each(rules)("$alert: its title, severity and expression, and the five answers", (rule) => {
    const text = read(`docs/runbooks/${rule.alert}.md`);
    expect(text).toContain(`# ${rule.alert}\n\n${rule.annotations.summary} (${rule.labels.severity}):\n`);
    expect(text).toContain(`\`\`\`promql\n${rule.expr}\n\`\`\`\n`);
    expect([...text.matchAll(/^## (.*)$/gm)].map(([, title]) => title)).toEqual([
      "What it means",
      "Can data be lost?",
      "What to look at",
      "What to do",
      "How it ends",
    ]);
  });
});
