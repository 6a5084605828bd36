import { describe, expect, test } from "vitest";
import { editManifest, type ManifestName, newManifest } from "./manifest-edit.ts";
import { parseManifests } from "./manifests.ts";

const ORDERS: ManifestName = { kind: "MasterKey", namespace: "apps", name: "orders" };
const edit = (text: string, patch: Readonly<Record<string, unknown>> | undefined, name = ORDERS) =>
  editManifest(text, "keys.yaml", name, patch);
const specOf = (text: string | undefined) =>
  parseManifests(text ?? "", "keys.yaml", []).find(({ name }) => name === "orders")?.spec;

const FILE = `# Keys of the shop.
apiVersion: v1   # a namespace
kind: Namespace
metadata: { name: apps }
---
# The orders.
apiVersion: kms.claviger.dev/v1alpha1
kind: MasterKey
metadata:
  name: orders # never rename
  namespace: apps
spec:
  enabled: yes
  # Tags for the bill.
  tags: {team: 'shop', "cost": "no"}
---
apiVersion: kms.claviger.dev/v1alpha1
kind:   KeyAlias
metadata: { name: main, namespace: apps }
spec: {masterKey: orders}
`;

describe("a field of one object in a file of several", () => {
  test("is a list of objects => is written as such, with names and texts that YAML would misread", () => {
    const Statement = [
      { Sid: "no", Principal: { AWS: ["*"] }, Condition: { Bool: { "aws:x": true, on: [1, "1"] } } },
    ];
    const policy = { Version: "2012-10-17", Statement };
    const text = edit(FILE, { policy });
    expect(specOf(text)).toMatchObject({ policy });
    expect(text).toContain("# Tags for the bill.");
  });
  test("is set => comments stay, and the other documents keep every byte", () => {
    const text = edit(FILE, { enabled: false, description: 'no: "x"', rotation: { periodInDays: 90 } }) ?? "";
    for (const comment of ["# Keys of the shop.", "# The orders.", "# never rename", "# Tags for the bill."])
      expect(text).toContain(comment);
    const [first, , last] = FILE.split("---\n");
    expect(text.startsWith(first ?? "-")).toBe(true);
    expect(text.endsWith(`---\n${last}`)).toBe(true);
    expect(specOf(text)).toEqual({
      ...{ enabled: false, description: 'no: "x"', rotation: { periodInDays: 90 } },
      tags: { team: "shop", cost: "no" },
    });
  });
  test.each(["no", "1", "~", "", "2026-01-02", "a # b", "ü\u2028\u0085\t\u0000", "- x", "{}"])(
    "is set to %j => reads as this text again",
    (value) => {
      expect(specOf(edit(FILE, { tags: { team: value } }))).toMatchObject({
        tags: { team: value, cost: "no" },
      });
    },
  );
  test("a tag whose name looks like something else => reads as this name again", () => {
    const tags = { yes: "a", "1": "b", "~": "c", "a: b": "d", false: "e", Null: "f", y: "g" };
    expect(specOf(edit(FILE, { tags }))).toMatchObject({ tags });
  });
  test("null => the field is removed", () => {
    expect(specOf(edit(FILE, { tags: { team: null }, enabled: null }))).toEqual({ tags: { cost: "no" } });
  });
  test("no spec yet => there is one", () => {
    const text = FILE.replace(/spec:\n {2}enabled[^-]*/, "");
    expect(specOf(edit(text, { enabled: false }))).toEqual({ enabled: false });
  });
});

test("an object is removed => the other documents stay", () => {
  const text = edit(FILE, undefined) ?? "";
  expect(text).toContain("# Keys of the shop.");
  expect(parseManifests(text, "keys.yaml", []).map(({ kind }) => kind)).toEqual(["KeyAlias"]);
});

test("the only object is removed => nothing is left", () => {
  const [, only] = FILE.split("---\n");
  expect(edit(only ?? "", undefined)).toBeUndefined();
});

test("JSON => stays JSON", () => {
  const object = {
    ...{ apiVersion: "kms.claviger.dev/v1alpha1", kind: "MasterKey" },
    ...{ metadata: { name: "orders", namespace: "apps" }, spec: { enabled: true } },
  };
  const text = edit(JSON.stringify(object), { enabled: false, description: "x" }) ?? "";
  expect(JSON.parse(text)).toEqual({ ...object, spec: { enabled: false, description: "x" } });
});

test.each([
  [
    "in a List",
    `apiVersion: v1\nkind: List\nitems:\n${FILE.split("---\n")[1]
      ?.replace(/^(?=.)/gm, "  ")
      .replace("  # The orders.\n  api", "- api")}`,
  ],
  [
    "with a spec that is an alias",
    `${FILE.split("---\n")[1]
      ?.replace("metadata:", "x: &spec {description: d}\nmetadata:")
      .replace(/spec:\n[\s\S]*$/, "spec: *spec\n")}`,
  ],
])("an object %s => is refused, and the way out is named", (_, text) => {
  expect(specOf(text)).toBeDefined();
  expect(() => edit(text, { enabled: false })).toThrow(
    expect.objectContaining({
      code: "ConfigInvalid",
      message: expect.stringContaining("document of its own"),
    }),
  );
});

test("an object that the file does not have => NotFound", () => {
  expect(() => edit(FILE, {}, { ...ORDERS, name: "other" })).toThrow(
    expect.objectContaining({ code: "NotFound" }),
  );
});

test("a new object => a manifest that is read as this object, whatever its texts look like", () => {
  const spec = { description: "no: # x", tags: { yes: "1" }, enabled: true };
  const text = newManifest({ ...ORDERS, name: "1e3" }, spec, "Made here.");
  expect(text).toMatch(/^# Made here\.\napiVersion: kms\.claviger\.dev\/v1alpha1\nkind: MasterKey\n/);
  expect(parseManifests(text, "keys.yaml", [])).toEqual([
    { kind: "MasterKey", namespace: "apps", name: "1e3", spec, source: "keys.yaml" },
  ]);
});
