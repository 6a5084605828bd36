import { printable } from "../../printable.ts";
import { table } from "../terminal/table.ts";
import type { Finding, Severity } from "./check.ts";
import { checks, type Diagnosis, type Unchecked } from "./diagnose.ts";

/** Returns a diagnosis for programs. */
export function forPrograms(diagnosis: Diagnosis): object {
  const { findings, unchecked, made } = diagnosis;
  const counts = { errors: count(findings, "error"), warnings: count(findings, "warning") };
  return { ...counts, findings, unchecked, made };
}

/** Renders a diagnosis as text for people. Names come from the cluster, so unsafe characters are escaped. */
export function asTable({ findings, unchecked, made }: Diagnosis): string {
  const rows = findings.map((finding) => [finding.severity, finding.check, finding.object]);
  const [header = "", ...lines] = table(["SEVERITY", "CHECK", "OBJECT"], rows).split("\n");
  const blocks = findings.map((finding, index) => `${lines[index]}\n${details(finding)}`);
  const found = findings.length === 0 ? "" : `${header}\n${blocks.join("")}\n`;
  const left = `Cannot be checked here:\n${unchecked.map(item).join("")}`;
  const counts = `${counted(findings, "error")}, ${counted(findings, "warning")}`;
  return `${found}${left}\n${counts}; ${made.length} of ${checks.length} checks were made\n`;
}

const count = (findings: readonly Finding[], severity: Severity): number =>
  findings.filter((finding) => finding.severity === severity).length;

/** "1 error", "2 warnings" */
export function counted(findings: readonly Finding[], severity: Severity): string {
  const found = count(findings, severity);
  return `${found} ${severity}${found === 1 ? "" : "s"}`;
}

const details = ({ message, remedy }: Finding): string =>
  `    ${printable(message)}\n    → ${printable(remedy)}\n`;

function item({ what, why, checks: names, remedy }: Unchecked): string {
  const left = names.length === 0 ? "" : `    not made: ${names.join(", ")}\n`;
  return `  ${what}: ${printable(why)}\n${left}    → ${printable(remedy)}\n`;
}
