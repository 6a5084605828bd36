import { ClavigerError } from "../errors.ts";
import { KubeError } from "../kube/kube-error.ts";
import type { Change } from "./changes.ts";
import type { Step, StepPlan } from "./step.ts";

/** The way in which steps are run. Tests have their own clock. */
export interface Runner {
  apply(change: Change): Promise<void>;
  /** Shows a line, such as `[3/11] key: MasterKey … is Ready`. */
  show(line: string): void;
  /** Shows that a step waits. It is called again and again, mostly with the same line. */
  showWait(line: string): void;
  /** Returns milliseconds that never go back. */
  now(): number;
  /** Waits a moment. Rejects at the signal to stop. */
  pause(): Promise<void>;
}

/** A step that changes something more often than this, and is never done, would change it for ever. */
const MOST_ATTEMPTS = 3;

/**
 * Runs the steps in order. Each step is verified before the next one begins: it is planned again after its
 * changes, until nothing is left to do. A run that was cut off is continued by another run. Throws NotReady if
 * a person has to act, or if others take too long.
 */
export async function runSteps(steps: readonly Step[], runner: Runner): Promise<void> {
  for (const [at, step] of steps.entries()) {
    await finish(step, `[${at + 1}/${steps.length}] ${step.name}`, runner);
  }
}

async function finish(step: Step, title: string, runner: Runner): Promise<void> {
  const started = runner.now();
  let attempts = 0;
  for (;;) {
    const plan = await planPatiently(step);
    if (plan.kind === "done") return runner.show(`${title}: ${plan.text}`);
    if (plan.kind === "blocked") throw notDone(`${title}: ${plan.text}; next: ${plan.next}`);
    if (plan.kind === "act") {
      if (attempts === MOST_ATTEMPTS)
        throw notDone(`${title}: ${plan.text}: this was done, and has no effect`);
      attempts += 1;
      runner.show(`${title}: ${plan.text}`);
      for (const change of plan.changes) await runner.apply(change);
      continue;
    }
    const waited = Math.round((runner.now() - started) / 1000);
    if (waited * 1000 > (step.patience ?? 0)) {
      throw notDone(
        `${title}: after ${waited} s: ${plan.text}; next: claviger doctor says more, and init continues from here`,
      );
    }
    runner.showWait(`${title}: ${plan.text}`);
    await runner.pause();
  }
}

/** The API server restarts during an installation, so its silence is a reason to wait. */
async function planPatiently(step: Step): Promise<StepPlan> {
  try {
    return await step.plan();
  } catch (error) {
    if (step.patience === undefined || !mayPass(error)) throw error;
    return { kind: "wait", text: error instanceof Error ? error.message : "the API server does not answer" };
  }
}

function mayPass(error: unknown): boolean {
  if (error instanceof KubeError)
    return error.httpStatus >= 500 || [401, 403, 408, 429].includes(error.httpStatus);
  return error instanceof ClavigerError && error.code === "ApiServer";
}

const notDone = (message: string): ClavigerError => new ClavigerError("NotReady", message);
