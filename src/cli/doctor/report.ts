import { printable, table } from "../table.ts";
import type { Finding, Severity } from "./check.ts";
import { checks, type Diagnosis, type Unchecked } from "./diagnose.ts";

/** A diagnosis for programs. */
export function asJson(diagnosis: Diagnosis): string {
  const { findings, unchecked, made } = diagnosis;
  const counts = { errors: count(findings, "error"), warnings: count(findings, "warning") };
  return `${JSON.stringify({ ...counts, findings, unchecked, made }, undefined, 2)}\n`;
}

/** The same for people. Names come from the cluster: none may steer the terminal. */
export function asTable({ findings, unchecked, made }: Diagnosis): string {
  const rows = findings.map((finding) => [finding.severity, finding.check, printable(finding.object)]);
  const [header = "", ...lines] = table(["SEVERITY", "CHECK", "OBJECT"], rows).split("\n");
  const blocks = findings.map((finding, index) => `${lines[index]}\n${details(finding)}`);
  const found = findings.length === 0 ? "" : `${header}\n${blocks.join("")}\n`;
  const left = `Cannot be checked here:\n${unchecked.map(item).join("")}`;
  const errors = `${count(findings, "error")} errors, ${count(findings, "warning")} warnings`;
  return `${found}${left}\n${errors}; ${made.length} of ${checks.length} checks were made\n`;
}

/** How many findings are of this severity. */
export const count = (findings: readonly Finding[], severity: Severity): number =>
  findings.filter((finding) => finding.severity === severity).length;

const details = ({ message, remedy }: Finding): string =>
  `    ${printable(message)}\n    → ${printable(remedy)}\n`;

function item({ what, why, checks: names, remedy }: Unchecked): string {
  const left = names.length === 0 ? "" : `    not made: ${names.join(", ")}\n`;
  return `  ${what}: ${printable(why)}\n${left}    → ${remedy}\n`;
}
