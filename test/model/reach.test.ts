import fc from "fast-check";
import { expect, test } from "vitest";
import type { ClusterModel } from "../../src/testing/cluster-model/cluster-model.ts";
import { history, play } from "../../src/testing/cluster-model/histories.ts";
import { giveWay } from "./give-way.ts";

giveWay();

/** The least number of histories in a thousand in which each must occur. */
const reached = {
  Switching: 500,
  Reencrypting: 500,
  Verifying: 500,
  Complete: 80,
  "Complete, verified": 150,
  "half a round": 100,
  "a pause between rounds": 5,
  "objects that could not be written": 15,
  "a rotation on demand": 250,
  "an automatic rotation": 100,
  "a third version": 60,
  "twins of one number": 5,
  "objects under several key_ids": 4,
  KeyIDWouldReturn: 10,
  "a deletion that was refused": 50,
  "a key that is pending deletion": 50,
  "a deletion that was cancelled": 5,
  "a destroyed key": 20,
  "a version destroyed by its retention": 20,
};

test("the model reaches what it is to test", { timeout: 7_200_000 }, () => {
  const seen = new Map<string, number>();
  fc.assert(
    fc.property(history, (past) => {
      const during = new Set<string>();
      const { etcd } = play(past, (cluster) => {
        for (const what of statesOf(cluster)) during.add(what);
      });
      for (const { token } of etcd.begun)
        during.add(token === undefined ? "an automatic rotation" : "a rotation on demand");
      if (etcd.masterKeys.some(({ status }) => (status?.currentVersion?.number ?? 0) > 2))
        during.add("a third version");
      const numbers = etcd.versions.map(({ spec }) => `${spec.keyId} ${spec.number}`);
      if (new Set(numbers).size < numbers.length) during.add("twins of one number");
      if (new Set([...etcd.objects.values()].map(({ kmsKeyId }) => kmsKeyId)).size > 2)
        during.add("objects under several key_ids");
      if (past.events.some(({ kind }) => kind === "cancel") && during.has("a key that is pending deletion"))
        during.add("a deletion that was cancelled");
      for (const what of during) seen.set(what, (seen.get(what) ?? 0) + 1);
    }),
    { seed: 1, numRuns: 1_000 },
  );
  const missed = Object.entries(reached).filter(([what, atLeast]) => (seen.get(what) ?? 0) < atLeast);
  expect(missed.map(([what]) => [what, seen.get(what)])).toEqual([]);
});

function statesOf({ etcd }: ClusterModel): string[] {
  const states = etcd.alias?.status?.conditions?.map(({ reason }) => reason) ?? [];
  for (const { status } of etcd.masterKeys) {
    const blocked = status?.conditions?.find(({ type }) => type === "DeletionBlocked");
    if (blocked?.status === "True" && blocked.reason === "InUse") states.push("a deletion that was refused");
    if (status?.keyState === "PendingDeletion") states.push("a key that is pending deletion");
    if (status?.keyState === "Destroyed") states.push("a destroyed key");
    else if (etcd.versions.some(({ spec }) => spec.destroyed && spec.keyId === status?.keyId))
      states.push("a version destroyed by its retention");
    if (status?.reencryption === undefined) continue;
    const { phase, verified, failed = 0, cursor, nextRoundAt } = status.reencryption;
    states.push(verified ? `${phase}, verified` : phase);
    if (failed > 0) states.push("objects that could not be written");
    if (cursor !== undefined) states.push("half a round");
    if (nextRoundAt !== undefined) states.push("a pause between rounds");
  }
  return states;
}
