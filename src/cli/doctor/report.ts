import { printable } from "../../printable.ts";
import { styled } from "../terminal/style.ts";
import { item } from "../terminal/wrap.ts";
import type { Finding, Severity } from "./check.ts";
import { checks, type Diagnosis, type Unchecked } from "./diagnose.ts";

/** The objects of one finding; a longer list was made to flood its reader. */
const MAX_OBJECT_LENGTH = 512;

/** Returns a diagnosis for programs. */
export function forPrograms(diagnosis: Diagnosis): object {
  const { findings, unchecked, made } = diagnosis;
  const counts = { errors: count(findings, "error"), warnings: count(findings, "warning") };
  return { ...counts, findings, unchecked, made };
}

/**
 * Renders a diagnosis as text for people, for `printStyled`. Names come from the cluster, so unsafe characters
 * are escaped. Lines are wrapped at the width of a terminal.
 */
export function asTable(
  { findings, unchecked, made }: Diagnosis,
  width: number = Number.POSITIVE_INFINITY,
): string {
  const told = new Set(findings.map(({ message }) => message));
  const left = `Cannot be checked here:\n${unchecked.map((each) => uncheckedText(each, told, width)).join("")}`;
  const counts = `${counted(findings, "error")}, ${counted(findings, "warning")}`;
  return `${findingsText(findings, width)}${left}\n${counts}; ${made.length} of ${checks.length} checks were made\n`;
}

function findingsText(findings: readonly Finding[], width: number): string {
  if (findings.length === 0) return "";
  const checkWidth = Math.max("CHECK".length, ...findings.map(({ check }) => check.length));
  const header = `SEVERITY  ${"CHECK".padEnd(checkWidth)}  OBJECT`;
  const rows = findings.map((finding) => {
    const columns = `${finding.severity.padEnd(8)}  ${finding.check.padEnd(checkWidth)}  `;
    const style = finding.severity === "error" ? "red" : "yellow";
    const row = item(printable(finding.object, MAX_OBJECT_LENGTH), width, columns);
    return `${row.replace(finding.severity, styled(finding.severity, style))}${details(finding, width)}`;
  });
  return `${styled(header, "bold")}\n${rows.join("")}\n`;
}

const count = (findings: readonly Finding[], severity: Severity): number =>
  findings.filter((finding) => finding.severity === severity).length;

/** "1 error", "2 warnings" */
export function counted(findings: readonly Finding[], severity: Severity): string {
  const found = count(findings, severity);
  return `${found} ${severity}${found === 1 ? "" : "s"}`;
}

const details = ({ message, remedy }: Finding, width: number): string =>
  `${item(printable(message), width, "    ")}${item(printable(remedy), width, "    → ")}`;

/** A reason that is among the findings is not repeated. */
function uncheckedText(
  { what, why, checks: names, remedy }: Unchecked,
  told: ReadonlySet<string>,
  width: number,
): string {
  const left = names.length === 0 ? "" : item(`not made: ${names.join(", ")}`, width, "    ");
  if (told.has(why)) return `${item(`${what}: see CouldNotLook above`, width, "  ")}${left}`;
  return `${item(`${what}: ${printable(why)}`, width, "  ")}${left}${item(printable(remedy), width, "    → ")}`;
}
