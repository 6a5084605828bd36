import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { eventually } from "../controlplane/wait.ts";
import { type KubeadmCluster, kubeadmParts, startKubeadmCluster } from "./cluster.ts";

const parts = await kubeadmParts();

describe.skipIf(parts === undefined)("a cluster of kubeadm", () => {
  let cluster: KubeadmCluster;

  beforeAll(async () => {
    if (parts !== undefined) cluster = await startKubeadmCluster(parts);
  });
  afterAll(() => cluster?.stop());

  it("kubeadm init => the node is Ready, with the version of the programs", async () => {
    const [node = ""] = await eventually("the node is Ready", async () => {
      const lines = (await cluster.kubectl("get nodes --no-headers")).trim().split("\n");
      return lines.every((line) => /^\S+\s+Ready\s/.test(line)) && lines;
    });
    expect(node).toMatch(new RegExp(`^cp-1 +Ready +control-plane .* v${cluster.parts.version}$`));
  });
});
