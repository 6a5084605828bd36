import { describe, expect, test } from "vitest";
import { condition, EARLIER, keyAlias, keyServer, masterKey, NOW } from "../../testing/objects.ts";
import { decideUninstall, uninstallText } from "./decide-uninstall.ts";
import type { Installation } from "./installation.ts";

const provider = { name: "secrets", socket: "/run/s.sock", serves: "apps/secrets" };
const unused = { ...provider, entries: 0, notAskedSince: EARLIER };
const node = (...providers: (typeof provider)[]) => keyServer("node-1", { providers });
const alive = [{ node: "node-1", renewedAt: NOW.getTime() - 10_000 }];
const none: Installation = {
  masterKeys: [],
  keyAliases: [],
  keyServers: [],
  keyVersions: 0,
  leases: [],
  crds: [],
  namespace: "gone",
  rights: [],
  policies: [],
  podPolicies: [],
};
const crds = ["masterkeys", "keyservers"].map((plural) => ({
  name: `${plural}.kms.claviger.dev`,
  leaving: false,
}));
const whole = {
  ...none,
  masterKeys: [masterKey()],
  keyAliases: [keyAlias({})],
  keyServers: [node(provider)],
  keyVersions: 2,
  leases: alive,
  crds,
  namespace: "there",
  rights: ["claviger-operator"],
  policies: ["masterkey-in-use.kms.claviger.dev"],
} as const;

const keyless = { masterKeys: [], keyAliases: [], keyServers: [node(unused)] };

describe("what is left of claviger", () => {
  test.each<readonly [string, Installation, RegExp, RegExp]>([
    [
      "an API server uses a provider => move out first",
      whole,
      /provider secrets of node node-1/,
      /move out, until claviger census/,
    ],
    [
      "one does by the last word of an operator that does not run => start it, or delete its records",
      { ...whole, leases: [] },
      /by the last word of an operator that does not run/,
      /start claviger on node-1; if the node is gone, delete KeyServer node-1 and Lease claviger-node-node-1/,
    ],
    [
      "the keys are gone and an API server uses a provider, which serves on => move out first",
      { ...whole, masterKeys: [], keyAliases: [] },
      /provider secrets of node node-1/,
      /move out/,
    ],
    [
      "a node has a Lease and no KeyServer => what its API server uses is not known",
      { ...whole, keyServers: [] },
      /node node-1, which has a Lease and has not reported/,
      /move out/,
    ],
    [
      "no API server uses any => a backup, then the keys",
      { ...whole, keyServers: [node(unused)] },
      /1 MasterKeys: apps\/secrets/,
      /claviger backup.*kubectl delete keyaliases .*kubectl wait .*kubectl delete masterkeys --all --all-namespaces/s,
    ],
    [
      "keys wait for their deletion and no operator runs => one is started",
      {
        ...whole,
        keyServers: [node(unused)],
        leases: [],
        masterKeys: [
          masterKey({
            metadata: { deletionTimestamp: EARLIER },
            status: { conditions: [condition("DeletionBlocked", { message: "held by somebody" })] },
          }),
        ],
      },
      /MasterKey apps\/secrets is being deleted: held by somebody/,
      /start claviger on one node/,
    ],
    [
      "no keys, and operators run => they are stopped",
      { ...whole, ...keyless },
      /1 operators that run, on nodes: node-1/,
      /^stop claviger on these nodes/,
    ],
    [
      "no operator runs => the custom resource definitions",
      { ...whole, ...keyless, leases: [] },
      /2 KeyVersions and 1 KeyServers/,
      /^kubectl delete -f crds$/,
    ],
    [
      "the definitions were deleted while there were keys => how to end it",
      {
        ...whole,
        keyServers: [],
        keyAliases: [],
        leases: [],
        crds: [{ name: "masterkeys.kms.claviger.dev", leaving: true }],
      },
      /masterkeys.kms.claviger.dev, which is being deleted/,
      /claviger backup/,
    ],
    [
      "only rights and guards => the namespace is annotated, and they go",
      { ...none, namespace: "there", rights: whole.rights, policies: whole.policies },
      /Namespace claviger-system/,
      /^kubectl annotate namespace claviger-system kms.claviger.dev\/allow-deletion=yes --overwrite\nkubectl delete .*deploy\/rbac.yaml/,
    ],
    [
      "the policy for the pods of applications => it goes with the rights of the API",
      { ...none, podPolicies: ["pod-environment.kms.claviger.dev"] },
      /1 MutatingAdmissionPolicies: pod-environment/,
      /^kubectl delete -f deploy\/pod-environment.yaml\nkubectl delete .*-f deploy\/api.yaml/,
    ],
  ])("%s", (_, installation, left, next) => {
    const plan = decideUninstall(installation, NOW);
    expect(plan.left.join("\n")).toMatch(left);
    expect(plan.next.join("\n")).toMatch(next);
  });
  test("nothing => it says so, and what to keep", () => {
    const plan = decideUninstall(none, NOW);
    expect(plan.left).toEqual([]);
    expect(uninstallText(plan)).toMatch(/^nothing of claviger is left.*keep root.key/s);
  });
});
