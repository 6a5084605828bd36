import { type Goal, goalsTable } from "./goals.ts";
import type { PartResult } from "./part.ts";
import { markdownTable } from "./table.ts";

/** Renders a part as Markdown. */
export function partText({ title, method, tables }: PartResult): string {
  return [`## ${title}`, method, ...tables.map(markdownTable)]
    .map((block) => `${block.trimEnd()}\n`)
    .join("\n");
}

/** Renders all goals as Markdown. */
export function goalsText(goals: readonly Goal[]): string {
  return `## Goals\n\n${markdownTable(goalsTable(goals))}`;
}

/** The facts that surround the parts on the page. */
export interface PageFacts {
  readonly date: string;
  readonly machine: readonly string[];
}

/** Says what the figures of the page mean for a cluster. */
const FELT = `## What a cluster feels

An API server calls a plugin when it starts: one Status, one Encrypt, and one Decrypt for each distinct data key
seed among what is stored, up to ten at a time on one connection. Afterwards it asks for Status once a minute, and
encrypts again after a rotation only. Reading and writing Secrets calls nothing. So a cluster feels the time to the
first answer after a start or an upgrade, the Decrypts after a restart, and what an idle plugin takes of a
control-plane node. The last part below sends calls as fast as they are answered, which no API server does: it shows
what one call costs.
`;

/** Renders docs/benchmarks.md. */
export function page(results: readonly PartResult[], { date, machine }: PageFacts): string {
  return `# Benchmarks

Written by \`npm run bench -- --write\` on ${date}; do not edit. Each table is of one run in which the candidates
took turns, so compare within it; another machine gives other figures and similar ratios.

${machine.map((line) => `- ${line}\n`).join("")}
${FELT}
${goalsText(results.flatMap(({ goals }) => goals))}
${results.map(partText).join("\n")}`;
}
