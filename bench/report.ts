import { type Goal, goalsTable } from "./goals.ts";
import type { PartResult } from "./part.ts";
import { markdownTable } from "./table.ts";

/** One part as Markdown. */
export function partText({ title, method, tables }: PartResult): string {
  return [`## ${title}`, method, ...tables.map(markdownTable)]
    .map((block) => `${block.trimEnd()}\n`)
    .join("\n");
}

/** All goals as Markdown. */
export function goalsText(goals: readonly Goal[]): string {
  return `## Goals\n\n${markdownTable(goalsTable(goals))}`;
}

/** What surrounds the parts on the page. */
export interface PageFacts {
  readonly date: string;
  readonly machine: readonly string[];
}

/** docs/benchmarks.md. */
export function page(results: readonly PartResult[], { date, machine }: PageFacts): string {
  return `# Benchmarks

Written by \`npm run bench -- --write\` on ${date}; do not edit. Each table is of one run in which the candidates
took turns, so compare within it; another machine gives other figures and similar ratios.

${machine.map((line) => `- ${line}\n`).join("")}
${goalsText(results.flatMap(({ goals }) => goals))}
${results.map(partText).join("\n")}`;
}
