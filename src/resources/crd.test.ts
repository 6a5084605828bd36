import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { crdFiles } from "../../scripts/generate-crds.ts";
import { customResourceDefinition } from "./crd.ts";
import { resources } from "./definitions.ts";
import type { Kind } from "./resources.ts";

const folder = join(import.meta.dirname, "..", "..", "crds");
const kinds = Object.keys(resources) as Kind[];

/** The parts of a CRD's schema that the tests walk. */
interface Node {
  readonly type?: string;
  readonly description?: string;
  readonly properties?: Readonly<Record<string, Node>>;
  readonly items?: Node;
  readonly additionalProperties?: Node;
  readonly required?: readonly string[];
  readonly default?: unknown;
  readonly maxLength?: number;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly maxItems?: number;
  readonly maxProperties?: number;
  readonly enum?: readonly string[];
  readonly "x-kubernetes-list-type"?: string;
  readonly "x-kubernetes-list-map-keys"?: readonly string[];
}
interface Definition {
  readonly metadata: { readonly name: string };
  readonly spec: {
    readonly names: Readonly<Record<string, unknown>>;
    readonly scope: string;
    readonly versions: readonly [
      {
        readonly subresources: object;
        readonly additionalPrinterColumns: readonly { readonly jsonPath: string; readonly type: string }[];
        readonly schema: { readonly openAPIV3Schema: Node };
      },
    ];
  };
}
// Our own object from the line above.
const definitionOf = (kind: Kind) => customResourceDefinition(kind) as unknown as Definition;
const rootOf = (kind: Kind) => definitionOf(kind).spec.versions[0].schema.openAPIV3Schema;

/** Returns every schema under this schema, by its path. */
function walk(node: Node, path: string): { readonly path: string; readonly node: Node }[] {
  const children = [
    ...Object.entries(node.properties ?? {}),
    ...(node.items ? [["[]", node.items] as const] : []),
    ...(node.additionalProperties ? [["{}", node.additionalProperties] as const] : []),
  ];
  return [{ path, node }, ...children.flatMap(([name, child]) => walk(child, `${path}.${name}`))];
}

function isBounded(node: Node): boolean {
  switch (node.type) {
    case "integer":
      return node.minimum !== undefined && node.maximum !== undefined;
    case "string":
      return node.maxLength !== undefined || node.enum !== undefined;
    case "array":
      return node.maxItems !== undefined;
    case "object":
      return node.properties !== undefined || node.maxProperties !== undefined;
    default:
      return node.type === "boolean";
  }
}

test("crds/ holds what `npm run generate` makes, and nothing else", () => {
  const made = crdFiles();
  expect(readdirSync(folder).sort()).toEqual([...made.keys()].sort());
  for (const [name, text] of made) expect(readFileSync(join(folder, name), "utf8"), name).toBe(text);
});

describe.each(kinds)("%s", (kind) => {
  const { metadata, spec } = definitionOf(kind);
  const [version] = spec.versions;
  const nodes = walk(rootOf(kind), kind);

  test("its name is PLURAL.GROUP, as the API server demands", () => {
    expect(metadata.name).toBe(`${String(spec.names.plural)}.kms.claviger.dev`);
  });
  test("kubectl get claviger lists it", () => {
    expect(spec.names.categories).toEqual(["claviger"]);
  });
  test("status is a subresource, so that who may write specs may not write status", () => {
    expect(version.subresources).toEqual({ status: {} });
  });
  test("every field at any depth is described", () => {
    // The API server describes metadata itself and drops descriptions here.
    const bare = nodes.filter(({ path, node }) => path !== `${kind}.metadata` && !node.description?.trim());
    expect(bare.map(({ path }) => path)).toEqual([]);
  });
  test("every field has a type and bounds: integers on both sides, texts, lists and maps above", () => {
    const own = nodes.filter(({ path }) => !/^\w+\.(apiVersion|kind|metadata)$/.test(path));
    const boundless = own.filter(({ node }) => !isBounded(node));
    expect(boundless.map(({ path }) => path)).toEqual([]);
  });
  test("every integer's bounds are numbers that JSON, SQLite and JavaScript read back exactly", () => {
    const bounds = nodes.flatMap(({ node }) => [node.minimum ?? 0, node.maximum ?? 0]);
    expect(bounds.filter((bound) => !Number.isSafeInteger(bound))).toEqual([]);
  });
  test("what is required exists and has no default", () => {
    for (const { path, node } of nodes) {
      for (const name of node.required ?? []) {
        const field = node.properties?.[name];
        expect(field, `${path}.${name}`).toBeDefined();
        expect(field?.default, `${path}.${name}`).toBeUndefined();
      }
    }
  });
  test("the keys of a list of type map are required fields of its items", () => {
    for (const { path, node } of nodes) {
      if (node.type !== "array") continue;
      expect(["map", "set", "atomic"], path).toContain(node["x-kubernetes-list-type"]);
      for (const key of node["x-kubernetes-list-map-keys"] ?? [])
        expect(node.items?.required, path).toContain(key);
    }
  });
  test("every column shows a field that exists", () => {
    const paths = new Set(nodes.map(({ path }) => path.slice(kind.length)));
    for (const { jsonPath } of version.additionalPrinterColumns) {
      const field = jsonPath.replace(/\[\?\(@\.type=="Ready"\)\]/, ".[]");
      if (field !== ".metadata.creationTimestamp") expect(paths, jsonPath).toContain(field);
    }
  });
});

test.each([
  ["MasterKey", "masterkeys", "mk", "Namespaced"],
  ["KeyVersion", "keyversions", "kv", "Cluster"],
  ["KeyAlias", "keyaliases", "ka", "Namespaced"],
  ["KeyServer", "keyservers", "ks", "Cluster"],
] as const)("%s => kubectl knows it as %s and %s; it is %s", (kind, plural, shortName, scope) => {
  const { names, scope: actual } = definitionOf(kind).spec;
  expect(names).toMatchObject({ kind, plural, shortNames: [shortName], listKind: `${kind}List` });
  expect(actual).toBe(scope);
});

test("a MasterKey needs no spec, a KeyVersion and a KeyAlias do", () => {
  expect(rootOf("MasterKey").required).toBeUndefined();
  expect(rootOf("KeyVersion").required).toEqual(["spec"]);
  expect(rootOf("KeyAlias").required).toEqual(["spec"]);
});
