import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { controlPlaneBinaries } from "../controlplane/binaries.ts";
import { eventually } from "../controlplane/wait.ts";
import { returnFromImage } from "./matrix-image.ts";
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

const IMAGE = "image";
const PLAIN: Chain = [];
const READS: Chain = ["identity", "claviger"];
const WRITES: Chain = ["claviger", "identity"];

const first = [1, 2];
const second = [2, 1];

/**
 * The three steps of the manual (docs/operations/move.md): claviger second, claviger first, the old provider
 * removed.
 */
const moveIn = (old: "kms-v1" | "kms-v2" | "aescbc") => ({
  before: [old, "identity"] as Chain,
  second: [old, "claviger", "identity"] as Chain,
  first: ["claviger", old, "identity"] as Chain,
  gone: WRITES,
});
const V1 = moveIn("kms-v1");
const V2 = moveIn("kms-v2");
const AES = moveIn("aescbc");

/**
 * Orders are chosen in pairs, so that each order of the first step occurs with each order of the second step.
 */
const SCENARIOS: readonly Scenario[] = [
  scenario({
    name: "secrets",
    title: "installing for Secrets, read-only first",
    resource: SECRETS,
    before: PLAIN,
    steps: [
      { chain: READS, nodes: first },
      { chain: WRITES, nodes: first },
    ],
  }),
  scenario({
    name: "install",
    title: "installing, read-only first, from the other node",
    before: PLAIN,
    steps: [
      { chain: READS, nodes: second },
      { chain: WRITES, nodes: first },
    ],
  }),
  scenario({
    name: "onestep",
    title: "installing in one step, node 1 first",
    before: PLAIN,
    steps: [{ chain: WRITES, nodes: first }],
  }),
  scenario({
    name: "onestepback",
    title: "installing in one step, node 2 first",
    before: PLAIN,
    steps: [{ chain: WRITES, nodes: second }],
  }),
  scenario({
    name: "never",
    title: "installing in one step on node 1, and never on node 2",
    before: PLAIN,
    steps: [{ chain: WRITES, nodes: [1] }],
  }),
  scenario({
    name: "renamed",
    title: "installing in one step, under another provider name on node 2",
    before: PLAIN,
    steps: [
      { chain: WRITES, nodes: [1] },
      { chain: ["renamed", "identity"], nodes: [2] },
    ],
  }),
  scenario({
    name: "halfway",
    title: "both nodes read, and only node 2 ever writes",
    before: PLAIN,
    steps: [
      { chain: READS, nodes: first },
      { chain: WRITES, nodes: [2] },
    ],
  }),
  scenario({
    name: "configmaps",
    title: "adding ConfigMaps to a socket that has another resource, read-only first",
    beside: customResource("beside"),
    resource: CONFIG_MAPS,
    before: PLAIN,
    steps: [
      { chain: READS, nodes: first },
      { chain: WRITES, nodes: second },
    ],
  }),
  scenario({
    name: "added",
    title: "adding a resource in one step, node 2 first",
    beside: customResource("addedto"),
    before: PLAIN,
    steps: [{ chain: WRITES, nodes: second }],
  }),
  scenario({
    name: "fromv1",
    title: "moving in from a KMS v1 plugin, which is dropped in the end",
    before: V1.before,
    steps: [
      { chain: V1.second, nodes: first },
      { chain: V1.first, nodes: second },
      { chain: V1.gone, nodes: first },
    ],
  }),
  scenario({
    name: "fromv1back",
    title: "moving in from a KMS v1 plugin, which is dropped in the end, node 2 first",
    before: V1.before,
    steps: [
      { chain: V1.second, nodes: second },
      { chain: V1.first, nodes: first },
      { chain: V1.gone, nodes: second },
    ],
  }),
  scenario({
    name: "fromv2",
    title: "moving in from another KMS v2 plugin, which is dropped in the end",
    before: V2.before,
    steps: [
      { chain: V2.second, nodes: first },
      { chain: V2.first, nodes: first },
      { chain: V2.gone, nodes: second },
    ],
  }),
  scenario({
    name: "fromaescbc",
    title: "moving in from aescbc, which is dropped in the end",
    before: AES.before,
    steps: [
      { chain: AES.second, nodes: second },
      { chain: AES.first, nodes: second },
      { chain: AES.gone, nodes: first },
    ],
  }),
  scenario({
    name: "stays",
    title: "moving in from aescbc, which node 2 goes on to write",
    before: AES.second,
    steps: [{ chain: AES.first, nodes: [1] }],
  }),
  scenario({
    name: "out",
    title: "moving out to identity, node 1 first",
    before: WRITES,
    steps: [{ chain: READS, nodes: first }],
  }),
  scenario({
    name: "outback",
    title: "moving out to identity, node 2 first",
    before: WRITES,
    steps: [{ chain: READS, nodes: second }],
  }),
  scenario({
    name: "toaescbc",
    title: "moving out to aescbc",
    before: WRITES,
    steps: [
      { chain: AES.first, nodes: first },
      { chain: AES.second, nodes: second },
    ],
  }),
  scenario({
    name: IMAGE,
    title: "staying encrypted while a node comes back from an old disk image",
    before: WRITES,
    steps: [],
  }),
];

describe.skipIf(binaries === undefined)("two nodes, edited one after the other", () => {
  let run: MatrixRun;

  beforeAll(async () => {
    run = await MatrixRun.start(SCENARIOS, 2);
    await run.allPhases();
  });
  afterAll(() => run?.[Symbol.asyncDispose]());

  it("a node comes back from an old disk image while the leader is paused => complete only once it is", async () => {
    const back = await returnFromImage(run, IMAGE, customResource(IMAGE));
    await eventually(
      "what the node wrote under version 1 is found and written again",
      async () => {
        const key = (await run.watcher.masterKeys()).get(IMAGE);
        const { phase, completedAt = "" } = key?.status?.reencryption ?? {};
        if (phase === "Complete" && Date.parse(completedAt) >= back - 1_000) return true;
        throw new Error(JSON.stringify(key?.status?.reencryption));
      },
      { deadline: 300_000 },
    );
    await run.standing();
  });

  it.each(SCENARIOS)(
    "$title => what is said is true, and everything is readable at every API server",
    ({ name }) => {
      expect(run.ledger.problemsOf(name)).toEqual([]);
      expect(run.ledger.checks(`standing of ${name}`)).toBeGreaterThan(0);
    },
  );

  it("looked at every promise, through every API server", () => run.expectLooked());
});
