import { fieldsOf } from "../../json.ts";
import { KubeError } from "../../kube/kube-error.ts";
import type { KubeObject } from "../changes.ts";
import type { Site } from "../site.ts";
import { pathOf } from "./object-path.ts";

const FIELD_MANAGER = "claviger-init";

/** Applies an object as it is wanted (server-side apply). */
export async function applyObject({ kube, signal }: Site, object: KubeObject): Promise<void> {
  await kube.apply({ path: pathOf(object), object, fieldManager: FIELD_MANAGER, signal });
}

export type ObjectState =
  | { readonly kind: "as wanted" }
  | { readonly kind: "missing" }
  | { readonly kind: "other"; readonly before: unknown };

/** Compares an object with the one in the API server, by an apply that changes nothing. */
export async function stateOf(site: Site, object: KubeObject): Promise<ObjectState> {
  const before = await readObject(site, pathOf(object));
  if (before === undefined) return { kind: "missing" };
  const { kube, signal } = site;
  const after = await kube.request({
    method: "PATCH",
    path: pathOf(object),
    query: { fieldManager: FIELD_MANAGER, force: "true", dryRun: "All" },
    contentType: "application/apply-patch+yaml",
    body: object,
    signal,
  });
  return comparable(before) === comparable(after) ? { kind: "as wanted" } : { kind: "other", before };
}

/** Reads an object, or returns undefined if it or its kind does not exist. */
export async function readObject(
  { kube, signal }: Pick<Site, "kube" | "signal">,
  path: string,
): Promise<unknown> {
  try {
    return await kube.request({ method: "GET", path, signal });
  } catch (error) {
    if (error instanceof KubeError && error.httpStatus === 404) return undefined;
    throw error;
  }
}

/** An apply always changes managedFields, and a dry run perhaps the generation. */
function comparable(object: unknown): string {
  const { status: _, metadata, ...rest } = fieldsOf(object);
  const {
    managedFields: _fields,
    generation: _generation,
    resourceVersion: _version,
    ...names
  } = fieldsOf(metadata);
  return JSON.stringify({ ...rest, metadata: names });
}

/** Deletes an object. It is no failure if there is none. */
export async function deleteObject({ kube, signal }: Site, path: string): Promise<void> {
  try {
    await kube.request({ method: "DELETE", path, signal });
  } catch (error) {
    if (!(error instanceof KubeError && error.httpStatus === 404)) throw error;
  }
}
