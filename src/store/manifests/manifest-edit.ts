import { isDeepStrictEqual } from "node:util";
import {
  type Document,
  isMap,
  isScalar,
  type Node,
  Pair,
  parseAllDocuments,
  Scalar,
  YAMLMap,
  YAMLSeq,
} from "yaml";
import { ClavigerError } from "../../errors.ts";
import { looksLikeJson } from "../../go/go-json.ts";
import { parsedJson } from "../../json.ts";
import { API_VERSION } from "../../resources/resources.ts";
import { manifestKey } from "./manifest-verdicts.ts";
import { type Manifest, parseManifests } from "./manifests.ts";
import { isFields, merged, type SpecPatch } from "./merge-patch.ts";

/** An object of a file of manifests. */
export type ManifestName = Pick<Manifest, "kind" | "namespace" | "name">;

/** Scalars are kept as they are written, as the reader of manifests keeps them. */
const OPTIONS = { version: "1.1", schema: "failsafe", resolveKnownTags: false, merge: false } as const;

/**
 * Returns the text of a file of manifests in which a merge patch was applied to the spec of one object, or the
 * object was removed if there is no patch. Comments and the other objects stay. Returns undefined if no object
 * is left. Throws NotFound, or ConfigInvalid if the text cannot be edited without changing something else.
 */
export function editManifest(
  text: string,
  source: string,
  name: ManifestName,
  patch: SpecPatch | undefined,
): string | undefined {
  const before = parseManifests(text, source, []);
  if (!before.some((manifest) => manifestKey(manifest) === manifestKey(name)))
    throw new ClavigerError("NotFound", `${source} has no ${manifestKey(name)}`);
  const edited = isJson(text) ? editJson(text, name, patch) : editYaml(text, name, patch);
  const after = edited === undefined ? [] : parseManifests(edited, source, []);
  if (!isDeepStrictEqual(after.map(contentOf), before.flatMap(wanted(name, patch)).map(contentOf)))
    throw new ClavigerError(
      "ConfigInvalid",
      `${source} has ${manifestKey(name)} in a form that claviger does not edit, such as a List or with anchors: give it a document of its own, or edit it by hand`,
    );
  return edited;
}

/** Returns the text of a manifest of a new object. */
export function newManifest(name: ManifestName, spec: SpecPatch, comment: string): string {
  const text = [
    `# ${comment}`,
    `apiVersion: ${API_VERSION}`,
    `kind: ${name.kind}`,
    "metadata:",
    `  name: ${JSON.stringify(name.name)}`,
    `  namespace: ${JSON.stringify(name.namespace)}`,
    "spec:\n",
  ].join("\n");
  return editManifest(text, "a new manifest", name, spec) ?? text;
}

const wanted =
  (name: ManifestName, patch: SpecPatch | undefined) =>
  (manifest: Manifest): readonly Manifest[] => {
    if (manifestKey(manifest) !== manifestKey(name)) return [manifest];
    if (patch === undefined) return [];
    return [{ ...manifest, spec: merged(isFields(manifest.spec) ? manifest.spec : {}, patch) }];
  };

/** Compares what a manifest says: an empty spec is none. */
const contentOf = ({ spec, ...manifest }: Manifest) => ({
  ...manifest,
  spec: structuredClone(isFields(spec) ? spec : {}),
});

const isJson = (text: string): boolean => looksLikeJson(text) && parsedJson(text) !== undefined;

function editJson(text: string, name: ManifestName, patch: SpecPatch | undefined): string | undefined {
  const object = parsedJson(text);
  if (!isFields(object) || !isObjectNamed(object, name)) return text;
  if (patch === undefined) return undefined;
  const spec = merged(isFields(object.spec) ? object.spec : {}, patch);
  return `${JSON.stringify({ ...object, spec }, null, 2)}\n`;
}

function editYaml(text: string, name: ManifestName, patch: SpecPatch | undefined): string | undefined {
  const documents = parseAllDocuments(text, OPTIONS);
  if (!Array.isArray(documents)) return text;
  const parts = documents.map((document, index) => {
    const start = index === 0 ? 0 : (documents[index - 1]?.range[2] ?? 0);
    const source = text.slice(start, document.range[2]);
    if (!isObjectNamed(document.toJS({ maxAliasCount: 100 }), name))
      return { source, isLeft: hasContent(document) };
    if (patch === undefined) return { source: "", isLeft: false };
    patchSpec(document, patch);
    return { source: printed(document), isLeft: true };
  });
  return parts.some(({ isLeft }) => isLeft) ? parts.map(({ source }) => source).join("") : undefined;
}

const hasContent = ({ contents }: Document): boolean => contents !== null;

function isObjectNamed(value: unknown, { kind, namespace, name }: ManifestName): boolean {
  if (!isFields(value) || value.kind !== kind || !isFields(value.metadata)) return false;
  return value.metadata.name === name && (value.metadata.namespace ?? "default") === namespace;
}

function patchSpec(document: Document, patch: SpecPatch): void {
  if (isMap(document.contents)) patchMap(document, mapIn(document, document.contents, "spec"), patch);
}

function patchMap(document: Document, map: YAMLMap, patch: SpecPatch): void {
  for (const [name, value] of Object.entries(patch)) {
    if (value === null) map.items = map.items.filter((pair) => !isNamed(pair, name));
    else if (isFields(value)) patchMap(document, mapIn(document, map, name), value);
    else put(map, name, nodeOf(value));
  }
}

/** Returns the mapping in a field, which is created if there is none. */
function mapIn(document: Document, map: YAMLMap, name: string): YAMLMap {
  const found = map.items.find((pair) => isNamed(pair, name))?.value;
  if (isMap(found)) return found;
  const created = new YAMLMap(document.schema);
  put(map, name, created);
  return created;
}

function put(map: YAMLMap, name: string, value: Node): void {
  const pair = map.items.find((candidate) => isNamed(candidate, name));
  if (pair !== undefined) pair.value = value;
  else map.items.push(new Pair<unknown, unknown>(FIELD.test(name) ? name : quoted(name), value));
}

const isNamed = ({ key }: Pair, name: string): boolean => (isScalar(key) ? key.value : key) === name;

/** A name that is read as this text without quotes. */
const FIELD = /^(?!(?:[yn]|yes|no|on|off|true|false|null)$)[a-z][A-Za-z]*$/i;

/** Strings are quoted: a plain no or 1 would be read as something else. */
function nodeOf(value: unknown): Node {
  if (Array.isArray(value)) {
    const list = new YAMLSeq();
    for (const item of value) list.items.push(nodeOf(item));
    return list;
  }
  if (isFields(value)) {
    const map = new YAMLMap();
    for (const [name, field] of Object.entries(value)) put(map, name, nodeOf(field));
    return map;
  }
  return typeof value === "string" ? quoted(value) : plain(String(value));
}

function quoted(text: string): Scalar {
  const scalar = new Scalar(text);
  scalar.type = Scalar.QUOTE_DOUBLE;
  return scalar;
}

function plain(text: string): Scalar {
  const scalar = new Scalar(text);
  scalar.type = Scalar.PLAIN;
  return scalar;
}

/** Characters that the reader refuses: only a quoted text that was put in now can have them. */
const ODD = /[\u007f-\u009f\u2028\u2029\ufeff\ufffe\uffff]/g;

const printed = (document: Document): string =>
  document
    .toString({ lineWidth: 0 })
    .replace(ODD, (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`);
