import { resources } from "../../resources/definitions.ts";
import { type Validation, validate } from "../../resources/validate.ts";
import { type Manifest, type ManifestFolder, readManifests } from "./manifests.ts";

export const manifestKey = ({
  kind,
  namespace,
  name,
}: Pick<Manifest, "kind" | "namespace" | "name">): string => `${kind} ${namespace}/${name}`;

/** Returns a manifest's spec with its defaults, and its problems; `old` is the spec in force. */
export function judgeManifest({ kind, spec }: Manifest, old: unknown): Validation {
  const schema = resources[kind].spec;
  return schema === undefined ? { value: spec, problems: [] } : validate(schema.json, spec, old, "spec");
}

/** Returns the problems of a manifest, in sentences; none if it is accepted. */
export function refusalsOf(manifest: Manifest, problems: readonly string[], isStored: boolean): string[] {
  const kept = isStored ? "it stays as it was" : "it is not used";
  return problems.map((problem) => `${manifest.source}: ${manifestKey(manifest)}: ${problem}; ${kept}`);
}

/** A problem in a folder of manifests that somebody should know of. */
export interface ManifestProblem {
  readonly kind: "refused" | "missing";
  readonly message: string;
}

/** An object of a manifest that a node has. */
export interface KnownObject extends Pick<Manifest, "kind" | "namespace" | "name"> {
  /** The spec in force; left out if the manifest was removed and its key is still served. */
  readonly spec?: unknown;
}

/**
 * Compares a folder with a node's objects: manifests that are refused, and objects that no manifest has any
 * more. Throws ConfigInvalid if there is no such folder.
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

/** While a file cannot be read, missing objects may be in it. */
function missing(folder: string, found: ManifestFolder, known: readonly KnownObject[]): string[] {
  if (found.unreadable.size > 0) return [];
  const wanted = new Set(found.manifests.map(manifestKey));
  return known
    .map(manifestKey)
    .filter((key) => !wanted.has(key))
    .map(
      (key) =>
        `${key} is in no manifest of ${folder}: its last state is still served, and nothing changes it until its manifest is back`,
    );
}
