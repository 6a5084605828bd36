import { type Change, describe } from "./changes.ts";
import { lineDiff } from "./diff.ts";
import type { Step, StepPlan } from "./step.ts";

/**
 * Renders what each step would do at present, and changes nothing. `diff` adds the lines of each file that
 * change.
 */
export async function planText(steps: readonly Step[], diff: boolean): Promise<string> {
  const texts: string[] = [];
  for (const [at, step] of steps.entries()) {
    texts.push(stepText(`[${at + 1}/${steps.length}] ${step.name}`, await step.plan(), diff));
  }
  return texts.join("");
}

function stepText(title: string, plan: StepPlan, diff: boolean): string {
  switch (plan.kind) {
    case "done":
      return `${title}: nothing to do: ${plan.text}\n`;
    case "wait":
      return `${title}: would wait: ${plan.text}\n`;
    case "blocked":
      return `${title}: cannot continue: ${plan.text}; next: ${plan.next}\n`;
    case "act":
      return `${title}: would ${plan.text}\n${plan.changes.map((change) => changeText(change, diff)).join("")}`;
  }
}

function changeText(change: Change, diff: boolean): string {
  const shown = diff ? diffOf(change) : [];
  return [describe(change), ...shown].map((line) => `    ${line}\n`).join("");
}

function diffOf(change: Change): string[] {
  switch (change.kind) {
    case "file":
    case "cluster configuration":
      return lineDiff(change.before ?? "", change.after ?? "");
    default:
      return [];
  }
}
