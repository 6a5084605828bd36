import { resources } from "../../resources/definitions.ts";
import { type Validation, validate } from "../../resources/validate.ts";
import { type Manifest, type ManifestFolder, readManifests } from "./manifests.ts";

export const manifestKey = ({
  kind,
  namespace,
  name,
}: Pick<Manifest, "kind" | "namespace" | "name">): string => `${kind} ${namespace}/${name}`;

/** A manifest's spec with its defaults, and what is wrong with it; `old` is the spec that is in force. */
export function judgeManifest({ kind, spec }: Manifest, old: unknown): Validation {
  const schema = resources[kind].spec;
  return schema === undefined ? { value: spec, problems: [] } : validate(schema.json, spec, old, "spec");
}

/** What is wrong with a manifest, in sentences; none if it is taken. */
export function refusalsOf(manifest: Manifest, problems: readonly string[], isStored: boolean): string[] {
  const kept = isStored ? "it stays as it was" : "it is not used";
  return problems.map((problem) => `${manifest.source}: ${manifestKey(manifest)}: ${problem}; ${kept}`);
}

/** What somebody should know of a folder of manifests. */
export interface ManifestProblem {
  readonly kind: "refused" | "missing";
  readonly message: string;
}

/** A MasterKey or KeyAlias that a node has. */
export interface KnownObject extends Pick<Manifest, "kind" | "namespace" | "name"> {
  /** The spec that is in force; left out if the object was taken away, and its key is served on. */
  readonly spec?: unknown;
}

/**
 * Compares a folder with what a node has: manifests that are refused, and objects that no manifest
 * has any more. Throws ConfigInvalid if there is no such folder.
 */
export function manifestProblems(folder: string, known: readonly KnownObject[]): ManifestProblem[] {
  const found = readManifests(folder);
  const refused = [...found.problems, ...found.manifests.flatMap((manifest) => refusals(manifest, known))];
  return [
    ...refused.map((message) => ({ kind: "refused" as const, message })),
    ...missing(folder, found, known).map((message) => ({ kind: "missing" as const, message })),
  ];
}

function refusals(manifest: Manifest, known: readonly KnownObject[]): string[] {
  const object = known.find((one) => manifestKey(one) === manifestKey(manifest));
  const { problems } = judgeManifest(manifest, object?.spec);
  return refusalsOf(manifest, problems, object?.spec !== undefined);
}

/** While a file cannot be read, what is missing may be in it. */
function missing(folder: string, found: ManifestFolder, known: readonly KnownObject[]): string[] {
  if (found.unreadable.size > 0) return [];
  const wanted = new Set(found.manifests.map(manifestKey));
  return known
    .map(manifestKey)
    .filter((key) => !wanted.has(key))
    .map(
      (key) =>
        `${key} is in no manifest of ${folder}: what it was is served on, and nothing changes it until its manifest is back`,
    );
}
