import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { controlPlaneBinaries } from "../controlplane/binaries.ts";
import { MatrixRun } from "./matrix-run.ts";
import {
  type Chain,
  CONFIG_MAPS,
  customResource,
  type Scenario,
  SECRETS,
  scenario,
} from "./matrix-scenarios.ts";

const binaries = await controlPlaneBinaries();

const READS: Chain = ["identity", "claviger"];
const WRITES: Chain = ["claviger", "identity"];

/** The same for all scenarios, so that each phase restarts only one API server. */
const FIRST = [2, 3, 1];
const SECOND = [3, 1, 2];

const movingIn = (name: string, title: string, old: "kms-v1" | "kms-v2" | "aescbc"): Scenario =>
  scenario({
    name,
    title,
    before: [old, "identity"],
    steps: [
      { chain: [old, "claviger", "identity"], nodes: FIRST },
      { chain: ["claviger", old, "identity"], nodes: SECOND },
      { chain: WRITES, nodes: FIRST },
    ],
  });

const SCENARIOS: readonly Scenario[] = [
  scenario({
    name: "secrets",
    title: "installing for Secrets, read-only first",
    resource: SECRETS,
    before: [],
    steps: [
      { chain: READS, nodes: FIRST },
      { chain: WRITES, nodes: SECOND },
    ],
  }),
  scenario({
    name: "onestep",
    title: "installing in one step",
    before: [],
    steps: [{ chain: WRITES, nodes: FIRST }],
  }),
  scenario({
    name: "never",
    title: "installing on two nodes, and never on node 1",
    before: [],
    steps: [
      { chain: READS, nodes: FIRST },
      { chain: WRITES, nodes: [3, 2] },
    ],
  }),
  scenario({
    name: "configmaps",
    title: "adding ConfigMaps to a socket that has another resource",
    beside: customResource("beside"),
    resource: CONFIG_MAPS,
    before: [],
    steps: [
      { chain: READS, nodes: FIRST },
      { chain: WRITES, nodes: SECOND },
    ],
  }),
  movingIn("fromv1", "moving in from a KMS v1 plugin", "kms-v1"),
  movingIn("fromv2", "moving in from another KMS v2 plugin", "kms-v2"),
  movingIn("fromaescbc", "moving in from aescbc", "aescbc"),
  scenario({ name: "out", title: "moving out", before: WRITES, steps: [{ chain: READS, nodes: FIRST }] }),
];

describe.skipIf(binaries === undefined)("three nodes, edited one after the other", () => {
  let run: MatrixRun;

  beforeAll(async () => {
    run = await MatrixRun.start(SCENARIOS, 3);
    await run.allPhases();
  });
  afterAll(() => run?.[Symbol.asyncDispose]());

  it.each(SCENARIOS)("$title => what is said is true, and everything is readable", ({ name }) => {
    expect(run.ledger.problemsOf(name)).toEqual([]);
    expect(run.ledger.checks(`standing of ${name}`)).toBeGreaterThan(0);
  });

  it("looked at every promise, through every API server", () => run.expectLooked());
});
