import { expect, test } from "vitest";
import { ClavigerError } from "../../../errors.ts";
import { NOW } from "../../../testing/objects.ts";
import { NodeReporter } from "./node-reporter.ts";

test("the kubeconfig is missing, and a hundred passes fail => one line says that the KeyServer was not written", async () => {
  const lines: string[] = [];
  let missing = true;
  const reporter = new NodeReporter({
    nodeName: "node-1",
    store: {
      reportKeyServer: async () => {
        if (missing) throw new ClavigerError("ConfigInvalid", "kubeconfig /k cannot be used: ENOENT");
      },
    },
    log: (level, message) => lines.push(`${level} ${message}`),
  });
  const problem = { reason: "PassFailed", message: "the pass failed" };
  for (let pass = 0; pass < 100; pass += 1) await reporter.reportFailure(problem, undefined, NOW);
  missing = false;
  await reporter.reportFailure(problem, undefined, NOW);
  expect(lines).toEqual([
    "warn KeyServer node-1: the pass failed",
    "warn KeyServer node-1 could not be written: kubeconfig /k cannot be used: ENOENT",
    "info KeyServer node-1 is written again after 100 failures",
  ]);
});
