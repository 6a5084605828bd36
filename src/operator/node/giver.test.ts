import { expect, test } from "vitest";
import { ClavigerError } from "../../errors.ts";
import { type Problem, VersionTester } from "../../keys/version-tester.ts";
import { KubeError } from "../../kube/kube-error.ts";
import { versionRow } from "../../testing/objects.ts";
import { sealsIn } from "../../testing/seals.ts";
import { Giver } from "./giver.ts";

/**
 * Returns the names of the KeyVersions that should be created, and the problems, if the API server fails in
 * this way.
 */
async function handBack(failure: Error) {
  const created: string[] = [];
  const problems: Problem[] = [];
  const giver = new Giver({
    store: {
      view: () => undefined,
      createKeyVersion: async (name) => {
        created.push(name);
        throw failure;
      },
      replaceSeal: async () => undefined,
    },
    apply: () => undefined,
    tester: new VersionTester(sealsIn("/nowhere")),
    log: () => undefined,
  });
  const plan = {
    changes: [],
    handBack: [versionRow(1), versionRow(2)],
    sealsDiffer: [],
    contradictions: [],
    bindingsDiffer: [],
    unproven: [],
  };
  await giver.handBack(plan, problems);
  return { created: created.length, problems: problems.map(({ reason }) => reason) };
}

test("the API server does not answer => the other versions wait for the next pass", async () => {
  expect(await handBack(new ClavigerError("ApiServer", "no answer in 30 s"))).toEqual({
    created: 1,
    problems: ["HandBackFailed"],
  });
});

test("the API server refuses one version => the others are handed back all the same", async () => {
  expect(await handBack(new KubeError(403, "not this one"))).toEqual({
    created: 2,
    problems: ["HandBackFailed", "HandBackFailed"],
  });
});

test("another node was faster => no problem", async () => {
  expect(await handBack(new KubeError(409, "it exists"))).toEqual({ created: 2, problems: [] });
});
