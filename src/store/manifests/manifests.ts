import { type Dir, opendirSync } from "node:fs";
import { join } from "node:path";
import { MAX_YAML_BYTES } from "../../config/bounded-yaml.ts";
import { DNS_NAME } from "../../config/yaml-section.ts";
import { ClavigerError, messageOf } from "../../errors.ts";
import { appearanceOf } from "../../files/file-appearance.ts";
import { readRegularFile } from "../../files/regular-file.ts";
import { goTextOf } from "../../go/go-config.ts";
import { hasNameTwice, looksLikeJson } from "../../go/go-json.ts";
import { readGoYamlDocuments } from "../../go/go-yaml.ts";
import { parsedJson } from "../../json.ts";
import { API_VERSION, GROUP } from "../../resources/resources.ts";
import type { Fields } from "../../resources/schemas/schema.ts";

/** The kinds of objects that a folder of manifests may have. */
export const MANIFEST_KINDS = ["MasterKey", "KeyAlias", "KeyGrant"] as const;
export type ManifestKind = (typeof MANIFEST_KINDS)[number];

const isManifestKind = (kind: string): kind is ManifestKind =>
  MANIFEST_KINDS.some((candidate) => candidate === kind);

/** An object in a manifest; its spec is not checked yet. */
export interface Manifest {
  readonly kind: ManifestKind;
  readonly namespace: string;
  readonly name: string;
  readonly spec: unknown;
  /** The file, for messages. */
  readonly source: string;
}

export interface ManifestFolder {
  readonly manifests: readonly Manifest[];
  /** What could not be read, one sentence each. */
  readonly problems: readonly string[];
  /** Files that could not be read at all: their former objects are still wanted. */
  readonly unreadable: ReadonlySet<string>;
}

/** A folder of other files, named by mistake, must not be read through twice a second. */
const MAX_NAMES = 10_000;
const MAX_FILES = 1_000;
/** Lists within lists. */
const MAX_LISTS = 10;
/** The limit of all files together, because reading them blocks this process. */
export const MAX_FOLDER_BYTES = 4 * MAX_YAML_BYTES;

/** Returns how each manifest of the folder appears: it changes when the file does. */
export const appearances = (folder: string): ReadonlyMap<string, string> =>
  new Map(manifestFiles(folder).map((file) => [file, appearanceOf(file)]));

/** Returns a text that changes when any manifest of the folder does. */
export const fingerprint = (files: ReadonlyMap<string, string>): string =>
  [...files].map(([file, appearance]) => `${file} ${appearance}`).join("\n");

/**
 * Reads every .yaml, .yml and .json file of a folder, as kubectl does. Throws ConfigInvalid if there is no
 * such folder.
 */
export function readManifests(folder: string): ManifestFolder {
  const manifests: Manifest[] = [];
  const problems: string[] = [];
  const unreadable = new Set<string>();
  let left = MAX_FOLDER_BYTES;
  for (const file of manifestFiles(folder)) {
    try {
      const bytes = readRegularFile(file, { maxBytes: Math.min(left, MAX_YAML_BYTES) });
      left -= bytes.length;
      // An editor that writes in place leaves its file so for a moment.
      if (bytes.length === 0) throw emptyFile(file);
      manifests.push(...parseManifests(goTextOf(bytes, file), file, problems));
    } catch (error) {
      unreadable.add(file);
      // An error about YAML already names the file.
      problems.push(error instanceof ClavigerError ? error.message : `${file}: ${messageOf(error)}`);
    }
  }
  return { manifests: firstOfEach(manifests, problems), problems, unreadable };
}

const emptyFile = (file: string): ClavigerError =>
  new ClavigerError(
    "ConfigInvalid",
    `${file} is empty, so its objects stay as they are: remove the file to delete them`,
  );

/**
 * Returns the paths of a folder's manifests. Kubernetes mounts a folder as links to `..data`: hidden names
 * are skipped, links are followed.
 */
export function manifestFiles(folder: string): string[] {
  try {
    return namesIn(folder)
      .sort()
      .map((name) => join(folder, name));
  } catch (cause) {
    throw new ClavigerError(
      "ConfigInvalid",
      `manifests folder ${folder} cannot be read: ${messageOf(cause)}`,
      { cause },
    );
  }
}

/** Throws an Error if there are too many names, or too many that could be manifests. */
function namesIn(folder: string): string[] {
  using open = closing(opendirSync(folder));
  const names: string[] = [];
  for (let entry = open.dir.readSync(); entry !== null; entry = open.dir.readSync()) {
    names.push(entry.name);
    if (names.length > MAX_NAMES) throw new Error(`it has more than ${MAX_NAMES} files`);
  }
  const manifests = names.filter((name) => /\.(ya?ml|json)$/.test(name) && !name.startsWith("."));
  if (manifests.length > MAX_FILES) throw new Error(`it has more than ${MAX_FILES} YAML and JSON files`);
  return manifests;
}

const closing = (dir: Dir) => ({ dir, [Symbol.dispose]: () => dir.closeSync() });

/**
 * Returns the manifests of one file. Throws ConfigInvalid if the file is neither YAML nor JSON: a part of a
 * file is not accepted.
 */
export function parseManifests(text: string, source: string, problems: string[]): Manifest[] {
  return documentsOf(text, source)
    .flatMap((value) => itemsOf(value, MAX_LISTS))
    .flatMap((value) => {
      if (value === null || value === undefined) return [];
      const manifest = toManifest(value, source);
      if (typeof manifest === "string") problems.push(`${source}: ${manifest}`);
      return typeof manifest === "object" ? [manifest] : [];
    });
}

/** A text that begins with a brace and is no JSON may be YAML in braces. */
function documentsOf(text: string, source: string): readonly unknown[] {
  const json = looksLikeJson(text) ? parsedJson(text) : undefined;
  if (json === undefined) return readGoYamlDocuments(text, source);
  if (!hasNameTwice(text)) return [json];
  throw new ClavigerError("ConfigInvalid", `${source} has a field twice in one object`);
}

/** `kubectl get -o yaml` wraps several objects into a List, and a client of the API into a MasterKeyList. */
function itemsOf(value: unknown, lists: number): readonly unknown[] {
  if (!isObject(value) || lists === 0) return [value];
  const { apiVersion, kind, items } = value;
  const [, ofKind] = /^(MasterKey|KeyAlias|KeyGrant)List$/.exec(String(kind)) ?? [];
  const ours = ofKind !== undefined && String(apiVersion).startsWith(`${GROUP}/`);
  if (!isList(value) && !ours) return [value];
  if (items === null || items === undefined) return [];
  if (!Array.isArray(items)) return [value];
  // The items of a typed list may leave out the fields that the list has for all of them.
  const filled = items.map((item: unknown) =>
    ours && isObject(item) ? { apiVersion, kind: ofKind, ...item } : item,
  );
  return filled.flatMap((item) => itemsOf(item, lists - 1));
}

const isList = ({ apiVersion, kind }: Fields): boolean => apiVersion === "v1" && kind === "List";

/**
 * Returns a manifest, a sentence that describes its problem, or undefined for an object that is not
 * claviger's.
 */
function toManifest(value: unknown, source: string): Manifest | string | undefined {
  if (!isObject(value)) return "a document is not an object";
  const { apiVersion, kind, metadata, spec } = value;
  if (typeof apiVersion !== "string" || typeof kind !== "string")
    return "a document lacks apiVersion or kind";
  if (isList(value)) return "a List has no list of items, or is too deep in others";
  // Namespaces and the like, which the same files need on a cluster.
  if (!apiVersion.startsWith(`${GROUP}/`)) return undefined;
  if (apiVersion !== API_VERSION)
    return `${kind} has apiVersion ${apiVersion}; this release knows ${API_VERSION}`;
  if (!isManifestKind(kind)) return `${kind} is not a kind that a manifest may hold`;
  if (!isObject(metadata)) return `a ${kind} lacks metadata`;
  const { name, namespace = "default" } = metadata;
  if (typeof name !== "string" || !DNS_NAME.test(name)) return `a ${kind} has no valid metadata.name`;
  if (typeof namespace !== "string" || !DNS_NAME.test(namespace))
    return `${kind} ${name} has no valid metadata.namespace`;
  return { kind, namespace, name, spec, source };
}

function firstOfEach(manifests: readonly Manifest[], problems: string[]): Manifest[] {
  const seen = new Map<string, Manifest>();
  for (const manifest of manifests) {
    const key = `${manifest.kind} ${manifest.namespace}/${manifest.name}`;
    const first = seen.get(key);
    if (first === undefined) seen.set(key, manifest);
    else problems.push(`${manifest.source}: ${key} is in ${first.source} already; that one is used`);
  }
  return [...seen.values()];
}

const isObject = (value: unknown): value is Fields =>
  typeof value === "object" && value !== null && !Array.isArray(value);
