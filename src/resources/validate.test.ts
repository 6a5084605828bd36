import { describe, expect, test } from "vitest";
import { resources } from "./definitions.ts";
import * as s from "./schemas/schema.ts";
import { validate } from "./validate.ts";

function specOf(kind: "MasterKey" | "KeyAlias" | "KeyVersion") {
  const { spec } = resources[kind];
  if (spec === undefined) throw new Error(`${kind} has no spec`);
  return spec.json;
}
const string = (options: Partial<Parameters<typeof s.string>[1]> = {}) =>
  s.string("d", { maxLength: 100, ...options });
const integer = (options: Partial<Parameters<typeof s.integer>[1]> = {}) =>
  s.integer("d", { minimum: -9, maximum: Number.MAX_SAFE_INTEGER, ...options });
const array = <T>(items: s.Schema<T>) => s.array("d", items, { listType: "atomic", maxItems: 2 });
const map = <T>(values: s.Schema<T>) => s.map("d", values, { maxProperties: 1 });
const check = (schema: { readonly json: s.JsonSchema }, value: unknown, old?: unknown) =>
  validate(schema.json, value, old, "spec");
const problems = (...given: Parameters<typeof check>) => check(...given).problems;

describe("defaults", () => {
  const schema = s.object("d", {
    name: string({ default: "x" }),
    nested: s.object("d", { on: s.boolean("d", { default: true }) }, { default: {} }),
    maybe: s.optional(string()),
  });
  test("nothing given => every default, nested ones too, nothing else", () => {
    expect(check(schema, {}).value).toEqual({ name: "x", nested: { on: true } });
  });
  test("null => is as if it were not given", () => {
    expect(check(schema, { name: null, nested: { on: null }, maybe: null })).toEqual({
      value: { name: "x", nested: { on: true } },
      problems: [],
    });
  });
  test("given => is kept, false and the empty text too", () => {
    const value = { name: "", nested: { on: false }, maybe: "y" };
    expect(check(schema, value)).toEqual({ value, problems: [] });
  });
  test("what was given and the schema's default => are not changed in place", () => {
    const given = {};
    const { value } = check(schema, given);
    expect(given).toEqual({});
    Object.assign((value as { nested: object }).nested, { on: "spoilt" });
    expect(check(schema, {}).value).toEqual({ name: "x", nested: { on: true } });
  });
  test.each([undefined, null])("a whole spec that is %s => its default", (spec) => {
    expect(check({ json: specOf("MasterKey") }, spec)).toEqual({
      value: {
        description: "",
        enabled: true,
        keySpec: "SYMMETRIC_DEFAULT",
        keyUsage: "ENCRYPT_DECRYPT",
        origin: "AWS_KMS",
        tags: {},
      },
      problems: [],
    });
  });
  test("no default for the whole => it is required", () => {
    expect(problems({ json: specOf("KeyAlias") }, undefined)).toEqual(["spec must be of type object"]);
  });
});

describe("structure", () => {
  const field = <T>(schema: s.Schema<T>) => s.object("d", { f: schema });
  const rows: readonly (readonly [string, s.Schema<unknown>, unknown, string | undefined])[] = [
    ["text where text belongs => well", string(), "x", undefined],
    ["a number where text belongs", string(), 1, "spec.f must be of type string"],
    ["a whole number => well", integer(), 3, undefined],
    ["half a number", integer(), 0.5, "spec.f must be of type integer"],
    ["a number past what is exact", integer(), 2 ** 53, "spec.f must be of type integer"],
    ["not a number", integer(), Number.NaN, "spec.f must be of type integer"],
    ["text where a flag belongs", s.boolean("d"), "true", "spec.f must be of type boolean"],
    ["a list where a mapping belongs", s.object("d", {}), [], "spec.f must be of type object"],
    ["a mapping where a list belongs", array(string()), {}, "spec.f must be of type array"],
    ["a wrong item", array(string()), ["a", 1], "spec.f[1] must be of type string"],
    ["a wrong value of a map", map(string()), { a: 1 }, "spec.f.a must be of type string"],
    ["not one of the words", s.oneOf("d", ["A", "B"]), "C", "spec.f must be one of A, B"],
    ["as many characters as allowed => well", string({ maxLength: 2 }), "😀😀", undefined],
    ["too many characters", string({ maxLength: 2 }), "abc", "spec.f must have at most 2 characters"],
    ["too few characters", string({ minLength: 2 }), "a", "spec.f must have at least 2 characters"],
    ["another pattern", string({ pattern: "^a+$" }), "b", "spec.f must match ^a+$"],
    ["too small", integer({ minimum: 1 }), 0, "spec.f must be at least 1"],
    ["too large", integer({ maximum: 1 }), 2, "spec.f must be at most 1"],
    ["the bounds themselves => well", integer({ minimum: 1, maximum: 1 }), 1, undefined],
    ["too many entries", map(string()), { a: "", b: "" }, "spec.f must have at most 1 entries"],
    ["as many items as allowed => well", array(string()), ["", ""], undefined],
    ["too many items", array(string()), ["", "", ""], "spec.f must have at most 2 items"],
  ];
  test.each(rows)("%s", (_, schema, value, problem) => {
    expect(problems(field(schema), { f: value })).toEqual(problem === undefined ? [] : [problem]);
  });
  test("a required field is missing", () => {
    expect(problems(field(string()), {})).toEqual(["spec.f is required"]);
  });
  test("several problems => all are told", () => {
    const schema = s.object("d", { a: string(), b: integer() });
    expect(problems(schema, { b: "x", c: 1 })).toEqual([
      "spec.a is required",
      "spec.b must be of type integer",
      "spec.c is not a field that claviger knows",
    ]);
  });
  test.each(["enabeld", "constructor", "toString", "hasOwnProperty", "__proto__"])(
    "the unknown field %s => is named",
    (name) => {
      const value: unknown = JSON.parse(`{ "f": "x", "${name}": {} }`);
      expect(problems(field(string()), value)).toEqual([`spec.${name} is not a field that claviger knows`]);
    },
  );
});

describe("rules", () => {
  const rule = (message: string, holds: s.Rule["holds"]): s.Rule => ({ cel: "", message, holds });
  const schema = s.object(
    "d",
    {
      n: integer(),
      inner: s.object(
        "d",
        { m: integer({ default: 0 }) },
        {
          default: {},
          rules: [
            rule("m must not fall", (self, old) => old === undefined || Number(self.m) >= Number(old.m)),
          ],
        },
      ),
    },
    { rules: [rule("n must be even", (self) => Number(self.n) % 2 === 0)] },
  );
  test("it holds => well", () => {
    expect(problems(schema, { n: 2 })).toEqual([]);
  });
  test("it does not => its message with the path", () => {
    expect(problems(schema, { n: 1 })).toEqual(["spec: n must be even"]);
  });
  test("the value does not fit => no rule is asked", () => {
    expect(problems(schema, { n: "x" })).toEqual(["spec.n must be of type integer"]);
  });
  test("a rule about change, made anew => passes", () => {
    expect(problems(schema, { n: 2, inner: { m: -5 } })).toEqual([]);
  });
  test("a rule about change, changed => is asked with what was", () => {
    expect(problems(schema, { n: 2, inner: { m: 1 } }, { n: 2, inner: { m: 2 } })).toEqual([
      "spec.inner: m must not fall",
    ]);
  });
});

describe("a MasterKey", () => {
  const key = (spec: object, old?: object) => {
    const json = specOf("MasterKey");
    const before = old && validate(json, old, undefined, "spec").value;
    return validate(json, spec, before, "spec").problems;
  };
  test.each(["HMAC_224", "HMAC_256", "HMAC_384", "HMAC_512"])("%s with its usage => well", (keySpec) => {
    expect(key({ keySpec, keyUsage: "GENERATE_VERIFY_MAC" })).toEqual([]);
  });
  test.each([
    { keySpec: "HMAC_256" },
    { keyUsage: "GENERATE_VERIFY_MAC" },
    { keySpec: "HMAC_256", keyUsage: "ENCRYPT_DECRYPT" },
  ])("%o => the usage does not fit", (spec) => {
    expect(key(spec)).toEqual([expect.stringMatching(/^spec: keyUsage does not fit keySpec/)]);
  });
  test("SM2 => this release does not know it", () => {
    expect(key({ keySpec: "SM2" })).toEqual([expect.stringContaining("spec.keySpec must be one of")]);
  });
  test("description, enabled and tags change => well", () => {
    expect(key({ description: "x", enabled: false, tags: { team: "a" } }, {})).toEqual([]);
  });
  test("keySpec and keyUsage change => both are immutable", () => {
    expect(key({ keySpec: "HMAC_256", keyUsage: "GENERATE_VERIFY_MAC" }, {})).toEqual([
      "spec: keySpec is immutable",
      "spec: keyUsage is immutable",
    ]);
  });
  const wrapped = { wrappedMaterial: "AAAA", wrappingAlgorithm: "RSAES_OAEP_SHA_256", importToken: "AAAA" };
  const external = (given: object) => key({ origin: "EXTERNAL", import: given });
  test.each([
    ["nothing but a request", { requestToken: "r" }],
    ["material, algorithm and token", wrapped],
    ["an end", { ...wrapped, expirationModel: "KEY_MATERIAL_EXPIRES", validTo: "2027-01-02T03:04:05+02:00" }],
  ])("import with %s => well", (_, given) => expect(external(given)).toEqual([]));
  test.each([
    ["material alone", { wrappedMaterial: "AAAA" }, /^spec\.import: wrappedMaterial, .+ go together$/],
    ["an end without its model", { validTo: "2027-01-02T03:04:05Z" }, /^spec\.import: validTo goes with/],
    [
      "a model without an end",
      { expirationModel: "KEY_MATERIAL_EXPIRES" },
      /^spec\.import: validTo goes with/,
    ],
    ["material that is no base64", { ...wrapped, wrappedMaterial: "AAA" }, /wrappedMaterial must match /],
    [
      "an end that is no time",
      { expirationModel: "KEY_MATERIAL_EXPIRES", validTo: "next year" },
      /validTo must be a time such as/,
    ],
  ])("import with %s => refused", (_, given, problem) => {
    expect(external(given)).toEqual([expect.stringMatching(problem)]);
  });
  test("import where claviger makes the material => refused", () => {
    expect(key({ import: { requestToken: "r" } })).toEqual(["spec: import needs origin EXTERNAL"]);
  });
  test.each([
    ["rotation by itself of imported material => refused", { enabled: true }, "EXTERNAL", false],
    ["no rotation of imported material => well", { enabled: false }, "EXTERNAL", true],
    ["rotation by itself => well", { enabled: true }, "AWS_KMS", true],
  ])("%s", (_, rotation, origin, well) => {
    expect(key({ origin, rotation })).toEqual(
      well ? [] : [expect.stringMatching(/^spec: rotation\.enabled needs origin AWS_KMS/)],
    );
  });
  const window = (given: object) =>
    key({ rotation: { enabled: true, window: { schedule: "0 2 * * 6", ...given } } });
  test.each([
    ...["0 2 * * 6", "*/15 0-4,22 1,15 * *", "30 2 L * *", "0 2 ? JAN-mar MON#1", "0  2  *  *  5L"],
    ...["0 2 LW * *", "0 2 15W * +FRI"],
  ])("a window at %s => well", (schedule) => expect(window({ schedule })).toEqual([]));
  test.each([
    ...["every Saturday", "@midnight", "0 2 * * 6 *", "0 0 2 * * 6", "0 2 * * 6 # nightly", "Sat 2 * * *"],
    ...["0 2 * * six!", "0;2;*;*;6"],
  ])("a window at %s => refused", (schedule) => {
    expect(window({ schedule })).toEqual([
      expect.stringMatching(/^spec\.rotation\.window: schedule has cron's five/),
    ]);
  });
  test.each([
    ...["UTC", "GMT", "Europe/Berlin", "Etc/GMT+5", "America/Port-au-Prince", "US/Eastern"],
    ...["America/Argentina/Buenos_Aires", "Mars/Olympus"],
  ])("the time zone %s => well", (timeZone) => expect(window({ timeZone })).toEqual([]));
  test.each(["", "Berlin", "+01:00", "Europe/", "/Berlin", "Europe/Berlin ", "../etc/localtime", "a/b/c/d"])(
    "the time zone %j => refused",
    (timeZone) => {
      expect(window({ timeZone })).toEqual([
        expect.stringMatching(/^spec\.rotation\.window: timeZone is an IANA/),
      ]);
    },
  );
  const named = (name: string) => ({ tags: { [name]: "x" } });
  test.each([
    ["128 characters", named("a".repeat(128)), true],
    ["128 characters of two code units each", named("😀".repeat(128)), true],
    ["129 characters", named("a".repeat(129)), false],
    ["no characters", named(""), false],
    ["a name of AWS's", named("aws:cloudformation"), false],
    ["a name that only looks like AWS's", named("aws"), true],
  ])("a tag's name of %s", (_, spec, well) => {
    expect(key(spec)).toEqual(well ? [] : [expect.stringMatching(/^spec\.tags: a tag's name/)]);
  });
  test("50 tags => well; 51 => too many; a value of 257 characters => too long", () => {
    const tags = (n: number) => Object.fromEntries(Array.from({ length: n }, (_, i) => [`t${i}`, ""]));
    expect(key({ tags: tags(50) })).toEqual([]);
    expect(key({ tags: tags(51) })).toEqual(["spec.tags must have at most 50 entries"]);
    expect(key({ tags: { t: "x".repeat(257) } })).toEqual(["spec.tags.t must have at most 256 characters"]);
  });
  test("tags by the names of JavaScript's own properties => are tags", () => {
    expect(key({ tags: { constructor: "x", toString: "y" } })).toEqual([]);
  });
});

describe("a KeyAlias", () => {
  const alias = (masterKey: unknown) => problems({ json: specOf("KeyAlias") }, { masterKey });
  test.each(["a", "a-b.c1", "a".repeat(253)])("%s => well", (name) => expect(alias(name)).toEqual([]));
  test.each(["", "A", "-a", "a-", "a..b", "a/b", "a\n", "a".repeat(254)])("%j => refused", (name) => {
    expect(alias(name)).not.toEqual([]);
  });
});

test("a KeyVersion => nothing but its seal, its ownership and the validTo of imported material may change", () => {
  const json = specOf("KeyVersion");
  const old = {
    masterKey: { namespace: "a", name: "b" },
    keyId: "00000000-0000-4000-8000-000000000001",
    number: 1,
    versionId: "00000000-0000-4000-8000-000000000002",
    keySpec: "SYMMETRIC_DEFAULT",
    keyUsage: "ENCRYPT_DECRYPT",
    origin: "AWS_KMS",
    seal: { provider: "file", rootKeyId: "r", sealed: "YQ==" },
  };
  const change = (change: object) => validate(json, { ...old, ...change }, old, "spec").problems;
  expect(change({ seal: { ...old.seal, sealed: "Yg==" } })).toEqual([]);
  expect(change({ masterKey: { namespace: "a", name: "c" } })).toEqual(["spec: masterKey is immutable"]);
  const ownership = { revision: 1, provider: "file", rootKeyId: "r", sealed: "YQ==" };
  expect(change({ ownership })).toEqual([]);
  const validTo = "2027-01-02T03:04:05Z";
  expect(change({ validTo })).toEqual(["spec: validTo is for imported material only"]);
  const external = { ...old, origin: "EXTERNAL" };
  expect(validate(json, { ...external, validTo }, external, "spec").problems).toEqual([]);
  expect(change({ materialId: "ab".repeat(32) })).toEqual(["spec: materialId is immutable"]);
  expect(change({ number: 2 })).toEqual(["spec: number is immutable"]);
  expect(change({ versionId: old.keyId })).toEqual(["spec: versionId is immutable"]);
});
