import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { controlPlaneBinaries } from "../controlplane/binaries.ts";
import { MatrixRun } from "./matrix-run.ts";
import { type Chain, type Scenario, SECRETS, scenario } from "./matrix-scenarios.ts";

const binaries = await controlPlaneBinaries();

const READS: Chain = ["identity", "claviger"];
const WRITES: Chain = ["claviger", "identity"];

/**
 * An API server looks at its file once a minute, so there are few phases, and each has an edit of every
 * scenario.
 */
const SCENARIOS: readonly Scenario[] = [
  scenario({
    name: "secrets",
    title: "installing for Secrets, read-only first",
    resource: SECRETS,
    before: [],
    steps: [
      { chain: READS, nodes: [2, 1] },
      { chain: WRITES, nodes: [2, 1] },
    ],
  }),
  scenario({
    name: "onestep",
    title: "installing in one step",
    before: [],
    steps: [{ chain: WRITES, nodes: [2, 1] }],
  }),
  scenario({
    name: "never",
    title: "installing on node 2, and never on node 1",
    before: [],
    steps: [{ chain: WRITES, nodes: [2] }],
  }),
  scenario({
    name: "fromaescbc",
    title: "moving in from aescbc, which is dropped in the end",
    before: ["aescbc", "claviger", "identity"],
    steps: [
      { chain: ["claviger", "aescbc", "identity"], nodes: [2, 1] },
      { chain: WRITES, nodes: [2, 1] },
    ],
  }),
  scenario({
    name: "fromv2",
    title: "moving in from another KMS v2 plugin, which is dropped in the end",
    before: ["kms-v2", "claviger", "identity"],
    steps: [
      { chain: ["claviger", "kms-v2", "identity"], nodes: [2, 1] },
      { chain: WRITES, nodes: [2, 1] },
    ],
  }),
  scenario({
    name: "out",
    title: "moving out to identity",
    before: WRITES,
    steps: [{ chain: READS, nodes: [2, 1] }],
  }),
];

describe.skipIf(binaries === undefined)("two nodes whose API servers reload their files and go on", () => {
  let run: MatrixRun;

  beforeAll(async () => {
    run = await MatrixRun.start(SCENARIOS, 2, "reload");
    await run.allPhases();
  });
  afterAll(() => run?.[Symbol.asyncDispose]());

  it.each(SCENARIOS)(
    "$title => what is said is true, and everything is readable at every API server",
    ({ name }) => {
      expect(run.ledger.problemsOf(name)).toEqual([]);
      expect(run.ledger.checks(`standing of ${name}`)).toBeGreaterThan(0);
    },
  );

  it("looked at every promise, through every API server, and each of them reloaded its file twice", () => {
    run.expectLooked();
    for (const number of [1, 2]) expect(run.ledger.checks(`reload by API server ${number}`)).toBe(2);
  });
});
