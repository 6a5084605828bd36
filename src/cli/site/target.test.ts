import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { afterAll, beforeAll, expect, onTestFinished, test, vi } from "vitest";
import { stringify } from "yaml";
import { accessOf, nameInCluster } from "./target.ts";

let folder: string;
let kubeconfig: string;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "claviger-target-"));
  kubeconfig = join(folder, "kubeconfig");
  const context = (name: string, namespace?: string) => ({
    name,
    context: { cluster: "c", user: "u", ...(namespace !== undefined && { namespace }) },
  });
  writeFileSync(
    kubeconfig,
    stringify({
      apiVersion: "v1",
      kind: "Config",
      clusters: [{ name: "c", cluster: { server: "https://127.0.0.1:1" } }],
      users: [{ name: "u", user: { token: "t" } }],
      contexts: [context("shop", "shop"), context("bare")],
      "current-context": "shop",
    }),
  );
});
afterAll(() => rmSync(folder, { recursive: true }));

test.each([
  ["claviger-system/secrets", {}, "claviger-system/secrets"],
  ["secrets", { namespace: "apps" }, "apps/secrets"],
  ["apps/secrets", { namespace: "apps" }, "apps/secrets"],
  ["secrets", {}, "shop/secrets"],
  ["secrets", { context: "bare" }, "default/secrets"],
])("%s with %o => MasterKey %s, as kubectl would find it", (argument, options, expected) => {
  const { namespace, name } = nameInCluster(argument, { kubeconfig, ...options });
  expect(`${namespace}/${name}`).toBe(expected);
});

test.each([
  ["apps/secrets", { namespace: "shop" }, /"apps\/secrets" is not in namespace shop: leave one of them out/],
  ["a/b/c", {}, /"a\/b\/c" is not NAMESPACE\/NAME/],
  ["/b", {}, /"\/b" is not NAMESPACE\/NAME/],
  ["a", { context: "shpo" }, /kubeconfig .* cannot be used: it has no context shpo; it has shop, bare$/],
])("%s with %o => one sentence that says why not", (argument, options, says) => {
  expect(() => nameInCluster(argument, { kubeconfig, ...options })).toThrow(says);
});

test("$KUBECONFIG names several files => the one that has the context, else the first that exists", () => {
  const other = join(folder, "other");
  writeFileSync(other, readFileSync(kubeconfig, "utf8").replaceAll("bare", "elsewhere"));
  vi.stubEnv("KUBECONFIG", [join(folder, "missing"), kubeconfig, other].join(delimiter));
  onTestFinished(() => void vi.unstubAllEnvs());
  expect(accessOf({}).kubeconfig).toBe(kubeconfig);
  expect(accessOf({ context: "bare" }).kubeconfig).toBe(kubeconfig);
  expect(accessOf({ context: "elsewhere" }).kubeconfig).toBe(other);
});

test.each([
  [{ kubeconfig: "k", config: "c" }, "--config and --kubeconfig exclude one another"],
  [{ context: "x", config: "c" }, "--config and --context exclude one another"],
])("%o => refused: a configuration names its own kubeconfig", (options, says) => {
  expect(() => accessOf(options)).toThrow(says);
});
