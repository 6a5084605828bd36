import { expect, test } from "vitest";
import { KubeError } from "../../kube/kube-error.ts";
import type { KubeRequest } from "../../kube/request.ts";
import type { Site } from "../site.ts";
import { rewriteAll } from "./rewrite-all.ts";

/** A site whose API server has two pages of Secrets. */
function siteOf(patch: (path: string) => void) {
  const calls: KubeRequest[] = [];
  const page = (names: string[], token?: string) => ({
    metadata: token === undefined ? {} : { continue: token },
    items: names.map((name) => ({ metadata: { namespace: "apps", name } })),
  });
  const request = async (call: KubeRequest) => {
    calls.push(call);
    if (call.method === "GET")
      return call.query?.continue === "next" ? page(["c"]) : page(["a", "b"], "next");
    patch(call.path);
    return {};
  };
  const site = { kube: { request }, signal: new AbortController().signal } as unknown as Site;
  return { site, calls };
}

test("every object of every page is written once, after all names were read, and only metadata travel", async () => {
  const { site, calls } = siteOf(() => undefined);
  await rewriteAll(site, "/api/v1/secrets");
  expect(calls.map(({ method }) => method)).toEqual(["GET", "GET", "PATCH", "PATCH", "PATCH"]);
  expect(
    calls
      .slice(2)
      .map(({ path }) => path)
      .sort(),
  ).toEqual(["a", "b", "c"].map((name) => `/api/v1/namespaces/apps/secrets/${name}`));
  expect(calls.every(({ accept }) => accept?.includes("PartialObjectMetadata"))).toBe(true);
  expect(calls.slice(2).every(({ body }) => JSON.stringify(body) === "{}")).toBe(true);
});

test("an object that was deleted or changed meanwhile => continues", async () => {
  const { site, calls } = siteOf((path) => {
    if (path.endsWith("/a")) throw new KubeError(404, "gone");
    if (path.endsWith("/b")) throw new KubeError(409, "conflict");
  });
  await rewriteAll(site, "/api/v1/secrets");
  expect(calls).toHaveLength(5);
});

test("an object that the API server refuses => fails with its reason", async () => {
  const { site } = siteOf(() => {
    throw new KubeError(403, "a policy says no");
  });
  await expect(rewriteAll(site, "/api/v1/secrets")).rejects.toThrow("a policy says no");
});
