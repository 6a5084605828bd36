import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { KubeError } from "../../kube/kube-error.ts";
import { tokenAfter } from "./continue-token.ts";
import { type List, metadataPages, type Place, placeAfter } from "./metadata-pages.ts";
import { nameOfKey, unreadableValues } from "./unreadable.ts";

const secrets = { group: "", version: "v1", resource: "secrets", namespaced: true };
const unreadable = (...keys: string[]) =>
  new KubeError(500, "failed to read one or more secrets", {
    reason: "StorageReadError",
    causes: keys.map((field) => ({ reason: "UnexpectedServerResponse", field })),
  });
const expired = (next?: string) =>
  new KubeError(410, "too old", { causes: [], ...(next !== undefined && { continue: next }) });
const behind = new KubeError(504, "Too large resource version", {
  causes: [{ reason: "ResourceVersionTooLarge" }],
});
const served = Buffer.from('{"v":"meta.k8s.io/v1","rv":7,"start":"a/b\\u0000"}').toString("base64url");

describe("the place after a refusal", () => {
  const place: Place = { token: served, limit: 500, restarts: 0 };
  test.each<[string, Error, Partial<Place>, Partial<Place> | undefined]>([
    ["the revision is forgotten => the token that the answer carries", expired("t"), {}, { token: "t" }],
    ["it carries none => the beginning", expired(), {}, { token: "", restarts: 1 }],
    ["it carries the same one => the beginning", expired(served), {}, { token: "", restarts: 1 }],
    ["the beginning was tried three times => nowhere", expired(), { restarts: 3 }, undefined],
    ["an object is unreadable => half of the page", unreadable("/a"), {}, { limit: 250, within: 500 }],
    ["a page of 3 has one => 1", unreadable("/a"), { limit: 3 }, { limit: 1, within: 3 }],
    ["it comes first => nowhere, it is named", unreadable("/a"), { limit: 1 }, undefined],
    [
      "the cache is behind the token => the same place at no revision",
      behind,
      {},
      { token: tokenAfter({ namespace: "a", name: "b" }) },
    ],
    ["the cache is behind without a token => nowhere", behind, { token: "" }, undefined],
    ["forbidden => nowhere", new KubeError(403, "no"), {}, undefined],
    ["no answer => nowhere", new Error("reset"), {}, undefined],
  ])("%s", (_, error, at, expected) => {
    const before = { ...place, ...at };
    expect(placeAfter(error, before)).toEqual(expected && { ...before, ...expected });
  });
});

describe("unreadable keys", () => {
  const before = 'unable to transform key "/registry/secrets/a/b": no matching prefix found';
  test.each([
    ["the causes of 1.37", unreadable("/registry/secrets/a/b"), ["/registry/secrets/a/b"]],
    [
      "the message of releases before",
      new KubeError(500, "x", { causes: [], message: before }),
      ["/registry/secrets/a/b"],
    ],
    ["another failure", new KubeError(500, "x", { causes: [], message: "etcd is away" }), undefined],
    ["no answer", new Error(before), undefined],
  ])("%s", (_, error, expected) => expect(unreadableValues(error)?.map(({ key }) => key)).toEqual(expected));
  const decodable = "corrupt object, key: /k, object not decodable revision=7: ";
  test.each([
    [
      "cannot be decrypted => the whole reason",
      "StorageError: corrupt object, Code: 7, Key: /k, ResourceVersion: 0, AdditionalErrorMsg: data from the storage is not transformable revision=0: identity transformer tried to read encrypted data",
      "data from the storage is not transformable revision=0: identity transformer tried to read encrypted data",
    ],
    [
      "has a conversion webhook that is down => that it is, and where",
      `${decodable}conversion webhook for shop/v1, Kind=Cart failed: Post "https://shop.svc:443/convert?timeout=30s": connect: connection refused`,
      `${decodable}conversion webhook for shop/v1, Kind=Cart failed: Post "https://shop.svc:443/convert?timeout=30s": connect: connection refused`,
    ],
    [
      "has a conversion webhook that refuses it => not what the webhook says, which may be anything",
      `${decodable}conversion webhook for shop/v1, Kind=Cart failed: password hunter2 is too short`,
      `${decodable}conversion webhook for shop/v1, Kind=Cart failed`,
    ],
    [
      "cannot be parsed => not what a parser quotes",
      `${decodable}parsing time "hunter2" as "2006": cannot parse "hunter2`,
      `${decodable}parsing time "…" as "…": cannot parse "…"`,
    ],
    [
      "has no kind => not the object, which the decoder has in its message",
      `${decodable}Object 'Kind' is missing in '{"pin":1234}'`,
      `${decodable}Object 'Kind' is missing`,
    ],
  ])("an object that %s", (_, message, expected) => {
    const causes = [{ reason: "UnexpectedServerResponse", field: "/k", message }];
    const error = new KubeError(500, "x", { reason: "StorageReadError", causes });
    expect(unreadableValues(error)).toEqual([{ key: "/k", message: expected }]);
  });
  test("a key => the object's name", () => {
    expect(nameOfKey("/registry/secrets/a/b", secrets)).toEqual({ namespace: "a", name: "b" });
    expect(nameOfKey("/registry/x.y/widgets/b", { ...secrets, namespaced: false })).toEqual({ name: "b" });
  });
});

/**
 * Lists as the etcd store of 1.37 does: unreadable values do not count against the limit, and all of them are
 * reported.
 */
function store(good: ReadonlySet<number>, bad: ReadonlySet<number>): List {
  const keys = [...good, ...bad].sort((a, b) => a - b);
  const nameOf = (key: number) => `k${String(key).padStart(4, "0")}`;
  return async ({ query = {} }) => {
    const token = query.continue ? Buffer.from(query.continue, "base64url").toString() : '{"start":""}';
    const start = String(JSON.parse(token).start).replace(/^n\//, "");
    const ahead = keys.filter((key) => nameOf(key) >= start);
    const found: number[] = [];
    const failed: number[] = [];
    while (ahead.length > 0 && found.length < Number(query.limit)) {
      const key = ahead.shift() ?? 0;
      (bad.has(key) ? failed : found).push(key);
    }
    if (failed.length > 0) throw unreadable(...failed.map((key) => `/registry/secrets/n/${nameOf(key)}`));
    const last = nameOf(found.at(-1) ?? 0);
    const items = found.map((key) => ({
      metadata: { namespace: "n", name: nameOf(key), uid: "u", resourceVersion: "1", managedFields: [] },
    }));
    return {
      metadata:
        ahead.length > 0
          ? { continue: tokenAfter({ namespace: "n", name: last }), remainingItemCount: ahead.length }
          : {},
      items: items.length > 0 ? items : null,
    };
  };
}

test("whatever is unreadable => every good object is found once, and every bad one is named once", async () => {
  const key = fc.integer({ min: 0, max: 1_500 });
  const numbers = fc.uniqueArray(key, { maxLength: 1_200, size: "max" });
  await fc.assert(
    fc.asyncProperty(numbers, fc.uniqueArray(key, { maxLength: 20 }), async (all, spoilt) => {
      const bad = new Set(spoilt);
      const good = new Set(all.filter((one) => !bad.has(one)));
      const names: string[] = [];
      const named: string[] = [];
      for await (const page of metadataPages(store(good, bad), secrets)) {
        names.push(...page.objects.map(({ name }) => name));
        named.push(...page.unreadable.map(({ name }) => name));
        expect(Object.keys(page.objects[0] ?? {})).not.toContain("managedFields");
      }
      const expected = (keys: ReadonlySet<number>) =>
        [...keys].sort((a, b) => a - b).map((one) => `k${String(one).padStart(4, "0")}`);
      expect(names).toEqual(expected(good));
      expect(named).toEqual(expected(bad));
    }),
    { numRuns: 50 },
  );
});
