import { randomBytes } from "node:crypto";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { KeyVersion } from "../../src/resources/resources.ts";
import { encodings, materialsOf } from "../cluster/canaries.ts";
import { applyKey, type Cluster, startCluster } from "../cluster/cluster.ts";
import { claviger, manifests, object } from "../cluster/manifests.ts";
import { controlPlaneBinaries } from "../controlplane/binaries.ts";
import { freePort } from "../controlplane/ports.ts";
import { testedBlock } from "../docs/markdown.ts";
import { browserProgram } from "./browser.ts";
import { ConsolePage } from "./page.ts";

const binaries = await controlPlaneBinaries();
const program = binaries && (await browserProgram());

const TENANT = [
  object("Namespace", "apps"),
  object("ServiceAccount", "tenant", { metadata: { namespace: "apps", name: "tenant" } }),
  object(
    "Role",
    "keys",
    {
      metadata: { namespace: "apps", name: "keys" },
      rules: [{ apiGroups: ["kms.claviger.dev"], resources: ["masterkeys"], verbs: ["list"] }],
    },
    "rbac.authorization.k8s.io/v1",
  ),
  object(
    "RoleBinding",
    "keys",
    {
      metadata: { namespace: "apps", name: "keys" },
      roleRef: { apiGroup: "rbac.authorization.k8s.io", kind: "Role", name: "keys" },
      subjects: [{ kind: "ServiceAccount", namespace: "apps", name: "tenant" }],
    },
    "rbac.authorization.k8s.io/v1",
  ),
];

describe.skipIf(program === undefined)("the console of a real cluster", () => {
  const canary = randomBytes(24).toString("hex");
  let cluster: Cluster;
  let shown: ConsolePage;
  let viewer: string;

  beforeAll(async () => {
    if (program === undefined) throw new Error("there is no browser");
    const listen = `127.0.0.1:${await freePort()}`;
    cluster = await startCluster({ console: { listen } });
    await applyKey(cluster);
    await cluster.kubectl(["create", "secret", "generic", "canary", `--from-literal=password=${canary}`]);
    await cluster.kubectl(["apply", "-f", "-"], testedBlock("docs/console.md", "rights of the console"));
    const orders = { ...claviger("MasterKey", "orders"), metadata: { namespace: "apps", name: "orders" } };
    await cluster.kubectl(["apply", "-f", "-"], manifests(...TENANT, orders));
    viewer = await tokenOf("claviger-system", "console");
    shown = await ConsolePage.open(program, `http://${listen}`);
  });
  afterAll(async () => {
    await shown?.[Symbol.asyncDispose]();
    await cluster?.stop();
  });

  const tokenOf = async (namespace: string, name: string): Promise<string> =>
    (await cluster.kubectl(["create", "token", "-n", namespace, name])).trim();

  it("shows a form and no object without a token", async () => {
    await shown.page.getByLabel("Kubernetes token").waitFor();
    expect(await shown.page.locator("main").textContent()).not.toContain("claviger-system");
    expect(await shown.page.locator("#overview").isVisible()).toBe(false);
  });

  it("tells that the API server does not accept a token, and asks again", async () => {
    await shown.signIn("not-a-token");
    await shown.page.getByText("the API server does not accept this token").waitFor();
    expect(await shown.page.getByLabel("Kubernetes token").inputValue()).toBe("");
    expect(await shown.page.locator("#overview").isVisible()).toBe(false);
  });

  it("is used with the keyboard alone, and shows keys, versions and nodes", async () => {
    await shown.page.getByLabel("Kubernetes token").focus();
    await shown.page.keyboard.insertText(viewer);
    await shown.page.keyboard.press("Tab");
    await shown.page.keyboard.press("Enter");
    await shown.row("keys", "claviger-system/secrets").getByText("Enabled").waitFor();
    await shown.row("keys", "apps/orders").getByText("Enabled").waitFor();
    await shown.row("nodes", "node-1").getByText("secrets: claviger-system/secrets v1").waitFor();
    await shown.row("versions", /claviger-system\/secrets 1 Current/).waitFor();
    await shown.page.getByText("All namespaces, as seen from node-1").waitFor();
  });

  it("follows a rotation as it moves, without a reload", async () => {
    const patch = '{"spec":{"rotation":{"requestToken":"console-1"}}}';
    const rotate = ["patch", "mk", "-n", "claviger-system", "secrets", "--type=merge", "-p", patch];
    await cluster.kubectl(rotate);
    await shown
      .row("keys", "claviger-system/secrets")
      .getByText(/^to version 2: /)
      .waitFor();
    await shown.row("versions", /claviger-system\/secrets 2 Current/).waitFor();
    await shown.row("nodes", "node-1").getByText("secrets: claviger-system/secrets v2").waitFor();
  });

  it("shows a tenant what RBAC lets him see: the keys of his namespace, and why the rest is missing", async () => {
    await shown.signOut();
    await shown.signIn(await tokenOf("apps", "tenant"), "apps");
    await shown.row("keys", "apps/orders").getByText("Enabled").waitFor();
    expect(await shown.page.locator("body").textContent()).not.toContain("claviger-system/");
    await shown.page
      .locator("#nodes")
      .getByText(/^Not shown: keyservers.* cannot list resource/)
      .waitFor();
    await shown.signOut();
    await shown.signIn(await tokenOf("apps", "tenant"));
    await shown.page
      .locator("#keys")
      .getByText(/^Not shown: masterkeys.* at the cluster scope$/)
      .waitFor();
  });

  it("leaves token, Secret and material out of every address, answer and log", async () => {
    const [node] = cluster.nodes;
    if (node === undefined) throw new Error("there is no node");
    const { items } = await cluster.read<{ readonly items: readonly KeyVersion[] }>(
      "/apis/kms.claviger.dev/v1alpha1/keyversions",
    );
    const sealed = items.flatMap(({ spec }) => (spec.seal === undefined ? [] : [spec.seal.sealed]));
    const forms = [...(await materialsOf(node)), cluster.rootKey].flatMap(encodings);
    const { urls, bodies, complaints } = shown;
    const seen = [...urls, ...bodies, ...complaints, await node.log("operator"), await node.log("plugin")];
    for (const secret of [viewer, canary, Buffer.from(canary).toString("base64"), ...sealed])
      expect(seen.filter((text) => text.includes(secret))).toEqual([]);
    expect(seen.filter((text) => forms.some((form) => Buffer.from(text).includes(form)))).toEqual([]);
    // Proves that the search has what the page was told.
    expect(bodies.some((text) => text.includes("claviger-system/secrets"))).toBe(true);
  });
});
