import { describe, expect, test } from "vitest";
import { storedResources } from "./api-resources.ts";
import type { ApiService, Discovery } from "./discovery.ts";
import { unserved } from "./unserved.ts";

const ALL = ["get", "list", "patch"];
const resource = (name: string, verbs = ALL) => ({ resource: name, scope: "Cluster" as const, verbs });
const discovery = (group: string, version: string, ...resources: ReturnType<typeof resource>[]) => ({
  items: [{ metadata: { name: group }, versions: [{ version, resources }] }],
});
const crd = (group: string, version = "v1") => ({
  metadata: { labels: { "kube-aggregator.kubernetes.io/automanaged": "true" } },
  spec: { group, version },
});
const shop = discovery("shop.example", "v1", resource("carts"));

describe("custom resources that cannot be written through this API server", () => {
  test.each<[string, [Discovery[], ApiService[], string[]], string[]]>([
    ["all are shown => none", [[shop], [crd("shop.example")], ["*.*"]], []],
    [
      "an API server that has just started does not show a group yet => it, by each pattern that means it",
      [[], [crd("shop.example"), crd("bank.example")], ["carts.shop.example", "*.bank.example", "secrets"]],
      ["*.bank.example", "carts.shop.example"],
    ],
    ["a wildcard of all => each group", [[], [crd("shop.example")], ["*.*"]], ["*.shop.example"]],
    [
      "a version is not shown, and another has the resource => none",
      [[shop], [crd("shop.example"), crd("shop.example", "v2")], ["carts.shop.example"]],
      [],
    ],
    [
      "a definition that is being deleted lets nobody patch => its resource",
      [
        [discovery("shop.example", "v1", resource("carts", ["get", "list"]), resource("bags"))],
        [crd("shop.example")],
        ["*.shop.example"],
      ],
      ["carts.shop.example"],
    ],
    ["claviger's own => none", [[], [crd("kms.claviger.dev")], ["*.*"]], []],
    [
      "what is built into another release, or served by somebody else => none",
      [
        [],
        [
          {
            ...crd("new.k8s.io"),
            metadata: { labels: { "kube-aggregator.kubernetes.io/automanaged": "onstart" } },
          },
          { spec: { group: "metrics.k8s.io", version: "v1", service: {} } },
        ],
        ["*.*"],
      ],
      [],
    ],
  ])("%s", (_, [discoveries, services, patterns], expected) => {
    const served = storedResources(discoveries, services);
    expect(unserved({ discoveries, services, served }, patterns)).toEqual(expected);
  });
});
