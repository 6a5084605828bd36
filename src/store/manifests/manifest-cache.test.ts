import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { ManifestCache } from "./manifest-cache.ts";

const key = (name: string, description: string) =>
  `apiVersion: kms.claviger.dev/v1alpha1\nkind: MasterKey\nmetadata: { name: ${name}, namespace: apps }\nspec: { description: ${description} }\n`;

let folder = "";
let cache: ManifestCache;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "claviger-cache-"));
  cache = new ManifestCache(folder);
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const write = (file: string, text: string) => writeFileSync(join(folder, file), text);
const found = (name: string) => cache.find({ kind: "MasterKey", namespace: "apps", name });

test("a manifest is found as its file is now: new, edited, taken away", () => {
  expect(found("a")).toBeUndefined();
  write("a.yaml", key("a", "one"));
  expect(found("a")).toMatchObject({ spec: { description: "one" }, source: join(folder, "a.yaml") });
  write("a.yaml", key("a", "edited"));
  expect(found("a")?.spec).toEqual({ description: "edited" });
  rmSync(join(folder, "a.yaml"));
  expect(found("a")).toBeUndefined();
});

test("an object in several files, or twice in one => the first, as for the operator", () => {
  write("b.yaml", `${key("a", "first")}---\n${key("a", "second")}`);
  write("c.yaml", key("a", "third"));
  expect(found("a")?.spec).toEqual({ description: "first" });
  write("a.yaml", key("a", "earlier"));
  expect(found("a")?.spec).toEqual({ description: "earlier" });
});

test("a file that cannot be read => the others are found all the same, and it too once it was corrected", () => {
  write("a.yaml", "{");
  write("b.yaml", key("b", "there"));
  expect(found("b")).toBeDefined();
  write("a.yaml", key("a", "corrected"));
  expect(found("a")).toBeDefined();
});
