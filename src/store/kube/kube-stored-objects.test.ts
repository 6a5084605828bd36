import { expect, test } from "vitest";
import { parseConfig } from "../../config/config.ts";
import { KubeClient } from "../../kube/client.ts";
import type { KubeRequest } from "../../kube/request.ts";
import { KubeStoredObjects } from "./kube-stored-objects.ts";

const config = parseConfig(
  JSON.stringify({
    apiVersion: "config.claviger.dev/v1alpha1",
    kind: "NodeConfig",
    nodeName: "node-1",
    stateDir: "/var/lib/claviger",
    seal: { file: { path: "root.key" } },
    providers: [],
    kubeconfig: "/nowhere/kubeconfig",
  }),
  "/etc/claviger/claviger.yaml",
);
const crd = (group: string) => ({
  metadata: { labels: { "kube-aggregator.kubernetes.io/automanaged": "true" } },
  spec: { group, version: "v1" },
});

/** An API server that has just started: it has definitions and does not list their resources yet. */
class JustStarted extends KubeClient {
  override async request({ path }: KubeRequest): Promise<unknown> {
    return { items: path.endsWith("apiservices") ? [crd("shop.example"), crd("plain.example")] : [] };
  }
}

test("custom resources that the API server does not show => are named as not written, those of another rule are not", async () => {
  const objects = new KubeStoredObjects(new JustStarted("/nowhere/kubeconfig"), config, {
    namespace: "claviger-system",
    name: "claviger-node-node-1",
  });
  const { failed, failures } = await objects.rewrite(
    { resources: ["!*.plain.example", "*.*"], engine: "Claviger", kmsKeyId: "k" },
    { signal: new AbortController().signal, onProgress: () => undefined },
  );
  expect(failed).toBe(1);
  expect(failures).toMatchObject([{ object: "*.shop.example", reason: "NotServed" }]);
});
