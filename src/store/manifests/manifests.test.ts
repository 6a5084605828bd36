import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, onTestFinished, test } from "vitest";
import { stringify } from "yaml";
import { MAX_YAML_BYTES } from "../../config/bounded-yaml.ts";
import { ClavigerError } from "../../errors.ts";
import { manifestProblems } from "./manifest-verdicts.ts";
import { appearances, fingerprint as fingerprintOf, parseManifests, readManifests } from "./manifests.ts";

const key = (name: string, more = "") =>
  `apiVersion: kms.claviger.dev/v1alpha1\nkind: MasterKey\nmetadata: { name: ${name}, namespace: apps }\n${more}`;

let folder = "";
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "claviger-manifests-"));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const write = (name: string, text: string) => writeFileSync(join(folder, name), text);
const names = () => readManifests(folder).manifests.map(({ name }) => name);
const fingerprint = (path: string) => fingerprintOf(appearances(path));

describe("a folder", () => {
  test("several documents in a file => each is an object", () => {
    write("all.yaml", `${key("a")}---\n${key("b")}---\n`);
    expect(readManifests(folder)).toMatchObject({
      manifests: [
        { kind: "MasterKey", namespace: "apps", name: "a", source: join(folder, "all.yaml") },
        { kind: "MasterKey", namespace: "apps", name: "b" },
      ],
      problems: [],
    });
  });
  test(".yaml, .yml and .json => are read, as kubectl reads a folder; other names are not", () => {
    for (const name of ["a.yaml", "b.yml", "c.json"]) write(name, key(name.slice(0, 1)));
    for (const name of ["d.yaml~", "e.txt", "f.yaml.bak", "yaml"]) write(name, key("wrong"));
    expect(names()).toEqual(["a", "b", "c"]);
  });
  test("hidden files (an editor's, Kubernetes' ..data) => are skipped", () => {
    write(".hidden.yaml", key("wrong"));
    write("..data.yaml", key("wrong"));
    expect(names()).toEqual([]);
  });
  test("a volume of a ConfigMap: links through ..data => each file is read once", () => {
    mkdirSync(join(folder, "..2026_01"));
    writeFileSync(join(folder, "..2026_01", "a.yaml"), key("a"));
    symlinkSync("..2026_01", join(folder, "..data"));
    symlinkSync("..data/a.yaml", join(folder, "a.yaml"));
    expect(readManifests(folder)).toMatchObject({ manifests: [{ name: "a" }], problems: [] });
  });
  test("folders within => are not entered", () => {
    mkdirSync(join(folder, "more"));
    writeFileSync(join(folder, "more", "a.yaml"), key("wrong"));
    expect(names()).toEqual([]);
  });
  test("no files => nothing, and no problem", () => {
    expect(readManifests(folder)).toEqual({ manifests: [], problems: [], unreadable: new Set() });
  });
  test("no such folder => ConfigInvalid naming it", () => {
    const missing = join(folder, "missing");
    expect(() => readManifests(missing)).toThrow(expect.objectContaining({ code: "ConfigInvalid" }));
    expect(() => fingerprint(missing)).toThrow(missing);
  });
  test("a file that is not YAML => unreadable, half of it is not taken, the others are", () => {
    write("a.yaml", key("a"));
    write("b.yaml", `${key("b")}---\nfoo: [1,\n`);
    const read = readManifests(folder);
    expect(read.manifests.map(({ name }) => name)).toEqual(["a"]);
    expect([...read.unreadable]).toEqual([join(folder, "b.yaml")]);
    expect(read.problems).toEqual([expect.stringContaining(join(folder, "b.yaml"))]);
  });
  test("pipes, devices, sockets, loops, what is too long => unreadable at once, the others are taken", async () => {
    write("a.yaml", key("a"));
    execFileSync("mkfifo", [join(folder, "b.yaml")]);
    symlinkSync("b.yaml", join(folder, "c.yaml"));
    symlinkSync("/dev/zero", join(folder, "d.yaml"));
    symlinkSync("e.yaml", join(folder, "e.yaml"));
    write("f.yaml", `# ${"x".repeat(MAX_YAML_BYTES)}`);
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(join(folder, "g.yaml"), resolve));
    onTestFinished(() => void server.close());
    const { manifests, problems, unreadable } = readManifests(folder);
    expect(manifests).toMatchObject([{ name: "a" }]);
    expect(unreadable.size).toBe(6);
    for (const [index, says] of ["a pipe", "a pipe", "a device", "ELOOP", "bytes", "a socket"].entries())
      expect(problems[index]).toContain(says);
    expect(fingerprint(folder)).toBe(fingerprint(folder));
  });
  test("more than all files together may have => the rest is unreadable, and stays as it was", () => {
    const filler = `# ${"x".repeat(MAX_YAML_BYTES - 500)}\n`;
    for (let n = 1; n <= 6; n += 1) write(`${n}.yaml`, `${filler}${key(`k${n}`)}`);
    expect(names()).toEqual(["k1", "k2", "k3", "k4"]);
    expect(readManifests(folder).unreadable.size).toBe(2);
  });
  test("a folder with thousands of YAML files, or of others => ConfigInvalid, so that nothing changes", () => {
    for (let n = 0; n <= 1_000; n += 1) write(`${n}.yaml`, "");
    expect(() => readManifests(folder)).toThrow("it has more than 1000 YAML and JSON files");
    for (let n = 0; n <= 9_000; n += 1) write(`${n}.txt`, "");
    expect(() => fingerprint(folder)).toThrow("it has more than 10000 files");
  });
  test("a link to nowhere, a folder of that name => unreadable", () => {
    symlinkSync("nowhere", join(folder, "a.yaml"));
    mkdirSync(join(folder, "b.yaml"));
    expect(readManifests(folder).unreadable.size).toBe(2);
  });
  test("anchors that unfold without end => unreadable, quickly", () => {
    const levels = Array.from({ length: 12 }, (_, n) => `a${n + 1}: &a${n + 1} [${`*a${n},`.repeat(9)}]`);
    write("a.yaml", `a0: &a0 x\n${levels.join("\n")}\n`);
    expect(readManifests(folder).unreadable.size).toBe(1);
  });
  test("one object twice => the first file's is used, and the second is a problem", () => {
    write("a.yaml", key("k", "spec: { description: first }"));
    write("b.yaml", key("k", "spec: { description: second }"));
    const { manifests, problems } = readManifests(folder);
    expect(manifests).toMatchObject([{ spec: { description: "first" } }]);
    expect(problems).toEqual([
      `${join(folder, "b.yaml")}: MasterKey apps/k is in ${join(folder, "a.yaml")} already; that one is used`,
    ]);
  });
  test("one name in two kinds or namespaces => two objects", () => {
    write("a.yaml", key("k"));
    write("b.yaml", key("k").replace("MasterKey", "KeyAlias"));
    write("c.yaml", key("k").replace("apps", "other"));
    expect(readManifests(folder)).toMatchObject({ manifests: [{}, {}, {}], problems: [] });
  });
});

describe("a document", () => {
  const parse = (text: string) => {
    const problems: string[] = [];
    return { manifests: parseManifests(text, "f.yaml", problems), problems };
  };
  test("no namespace => default", () => {
    expect(parse(key("a").replace(", namespace: apps", "")).manifests).toMatchObject([
      { namespace: "default" },
    ]);
  });
  test("empty documents and comments => nothing, no problem", () => {
    expect(parse("---\n---\n# nothing\n")).toEqual({ manifests: [], problems: [] });
    expect(parse("")).toEqual({ manifests: [], problems: [] });
  });
  test.each([
    ["a Namespace", "apiVersion: v1\nkind: Namespace\nmetadata: { name: apps }"],
    [
      "a group that only begins like ours",
      key("a").replace("kms.claviger.dev/", "kms.claviger.dev.example/"),
    ],
  ])("%s => is ignored without a word", (_, text) => {
    expect(parse(text)).toEqual({ manifests: [], problems: [] });
  });
  test.each([
    ["a list", "- 1", "a document is not an object"],
    ["no kind", "apiVersion: v1", "a document lacks apiVersion or kind"],
    [
      "a newer version",
      key("a").replace("v1alpha1", "v2"),
      "MasterKey has apiVersion kms.claviger.dev/v2; this release knows kms.claviger.dev/v1alpha1",
    ],
    [
      "a KeyVersion",
      key("a").replace("MasterKey", "KeyVersion"),
      "KeyVersion is not a kind that a manifest may hold",
    ],
    ["no metadata", "apiVersion: kms.claviger.dev/v1alpha1\nkind: MasterKey", "a MasterKey lacks metadata"],
    ["a name in capitals", key("Wrong"), "a MasterKey has no valid metadata.name"],
    ["a name that is a number", key("1"), "a MasterKey has no valid metadata.name"],
    [
      "a namespace with a slash",
      key("a").replace("apps", "x/y"),
      "MasterKey a has no valid metadata.namespace",
    ],
  ])("%s => a problem that names the file", (_, text, problem) => {
    expect(parse(text)).toEqual({ manifests: [], problems: [`f.yaml: ${problem}`] });
  });
  test("a wrong document => the others of its file are taken", () => {
    expect(parse(`- 1\n---\n${key("a")}`)).toMatchObject({ manifests: [{ name: "a" }], problems: [{}] });
  });
  test("a key twice in a mapping => not YAML", () => {
    expect(() => parse(`${key("a")}kind: KeyAlias\n`)).toThrow(ClavigerError);
  });
  test("that is not YAML => its place is named, and nothing of it is quoted", () => {
    expect(() => parse(`${key("a")}spec: { import: { wrappedMaterial: canary canary: x }\n`)).toThrow(
      expect.objectContaining({
        message: expect.stringMatching(/^f\.yaml: line \d+, column \d+ is not YAML \([A-Z_]+\)$/),
      }),
    );
  });
});

describe("what a cluster exports, as kubectl reads it", () => {
  const parse = (text: string) => {
    const problems: string[] = [];
    return { manifests: parseManifests(text, "f.yaml", problems), problems };
  };
  const object = (name: string) => ({
    apiVersion: "kms.claviger.dev/v1alpha1",
    kind: "MasterKey",
    metadata: { name, namespace: "apps", uid: "x", resourceVersion: "1" },
    spec: {},
    status: {},
  });
  const list = (items: unknown, kind = "List", apiVersion = "v1") => ({
    apiVersion,
    kind,
    items,
    metadata: {},
  });
  const OURS = "kms.claviger.dev/v1alpha1";

  test.each([
    ["a List", list([object("a"), object("b")])],
    ["a List within a List", list([object("a"), list([object("b")])])],
    ["a MasterKeyList", list([object("a"), object("b")], "MasterKeyList", OURS)],
    [
      "a MasterKeyList of items without a kind",
      list(
        [object("a"), object("b")].map(({ apiVersion: _, kind: __, ...rest }) => rest),
        "MasterKeyList",
        OURS,
      ),
    ],
  ])("%s => each item is an object, in YAML and in JSON", (_, value) => {
    for (const text of [JSON.stringify(value), `\uFEFF${stringify(value).replaceAll("\n", "\r\n")}---\r\n`])
      expect(parse(text)).toMatchObject({
        manifests: [
          { kind: "MasterKey", name: "a" },
          { kind: "MasterKey", name: "b" },
        ],
        problems: [],
      });
  });
  test.each([
    ["a List without items", list(null), []],
    ["a List of other things", list([{ apiVersion: "v1", kind: "Secret" }, object("a")]), []],
    ["a List of no list", list({}), ["f.yaml: a List has no list of items, or is too deep in others"]],
    ["a List with something in it", list([1]), ["f.yaml: a document is not an object"]],
  ])("%s", (_, value, problems) => {
    expect(parse(JSON.stringify(value)).problems).toEqual(problems);
  });
  test("lists without end => a problem", () => {
    let value: unknown = object("a");
    for (let depth = 0; depth < 50; depth += 1) value = list([value]);
    expect(parse(JSON.stringify(value))).toMatchObject({ manifests: [], problems: [{}] });
  });
  test("YAML 1.1's words and numbers, and merges => are what kubectl sends", () => {
    const spec =
      "spec: { <<: { enabled: no }, rotation: { periodInDays: 0x5A, window: { durationMinutes: 2_40 } } }";
    expect(parse(key("a", spec)).manifests).toMatchObject([
      { spec: { enabled: false, rotation: { periodInDays: 90, window: { durationMinutes: 240 } } } },
    ]);
  });
  test("YAML in braces => is read, and JSON with a field twice is refused", () => {
    expect(parse(`{ apiVersion: ${OURS}, kind: MasterKey, metadata: { name: a } }`).manifests).toHaveLength(
      1,
    );
    expect(() => parse('{"kind":"MasterKey","kind":"KeyAlias"}')).toThrow("f.yaml has a field twice");
  });
  test("a file that is not UTF-8 => unreadable", () => {
    writeFileSync(join(folder, "a.yaml"), Buffer.from(key("a", "spec: { description: ä }"), "latin1"));
    expect(readManifests(folder)).toMatchObject({
      manifests: [],
      problems: [expect.stringContaining("UTF-8")],
    });
  });
});

describe("the problems of a folder", () => {
  const known = (name: string, spec?: object) => ({
    kind: "MasterKey" as const,
    namespace: "apps",
    name,
    ...(spec && { spec }),
  });
  test("a manifest that is refused, one that is gone, one of another file that cannot be read", () => {
    write("a.yaml", key("a", "spec: { keySpec: DES }"));
    expect(manifestProblems(folder, [known("gone", {})])).toEqual([
      {
        kind: "refused",
        message: expect.stringMatching(/a\.yaml: MasterKey apps\/a: spec\.keySpec .*; it is not used$/),
      },
      { kind: "missing", message: expect.stringMatching(/^MasterKey apps\/gone is in no manifest of /) },
    ]);
    write("b.yaml", "a: [");
    expect(manifestProblems(folder, [known("a", {}), known("gone")]).map(({ kind }) => kind)).toEqual([
      "refused",
      "refused",
    ]);
  });
  test("all is taken => none", () => {
    write("a.yaml", key("a"));
    expect(manifestProblems(folder, [known("a")])).toEqual([]);
  });
});

describe("the fingerprint", () => {
  test("nothing changed => the same", () => {
    write("a.yaml", key("a"));
    expect(fingerprint(folder)).toBe(fingerprint(folder));
  });
  test("a file is added, changed, removed => another each time; other files do not matter", () => {
    const seen = [fingerprint(folder)];
    write("a.yaml", key("a"));
    seen.push(fingerprint(folder));
    write("a.yaml", key("a", "spec: {}"));
    seen.push(fingerprint(folder));
    rmSync(join(folder, "a.yaml"));
    expect(new Set(seen).size).toBe(3);
    expect(fingerprint(folder)).toBe(seen[0]);
    write("notes.txt", "x");
    expect(fingerprint(folder)).toBe(seen[0]);
  });
  test("..data is switched to another folder => another", () => {
    for (const version of ["..1", "..2"]) {
      mkdirSync(join(folder, version));
      writeFileSync(join(folder, version, "a.yaml"), key("a"));
    }
    symlinkSync("..1", join(folder, "..data"));
    symlinkSync("..data/a.yaml", join(folder, "a.yaml"));
    const before = fingerprint(folder);
    rmSync(join(folder, "..data"));
    symlinkSync("..2", join(folder, "..data"));
    expect(fingerprint(folder)).not.toBe(before);
  });
});
