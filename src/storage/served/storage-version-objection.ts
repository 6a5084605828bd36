import { KubeError } from "../../kube/kube-error.ts";
import { printable } from "../../printable.ts";
import type { ApiResource, Requests } from "./discovery.ts";
import { type GroupResource, groupResourceText } from "./group-resource.ts";

/** The fields of a CustomResourceDefinition of apiextensions.k8s.io/v1 that are used here. */
interface Definition {
  readonly spec?: {
    readonly versions?: readonly { readonly name: string; readonly storage?: boolean }[];
  };
}

/** The reason of a failure to rewrite a resource. */
export const STORAGE_VERSION_NOT_SERVED = "StorageVersionNotServed";

/**
 * Returns why objects of a custom resource must not be written, and what to do. Its CustomResourceDefinition
 * says which version is stored, if this identity may read it. Throws the errors of the client, except for a
 * refusal.
 */
export async function storageVersionObjection(
  client: Requests,
  resource: GroupResource & Pick<ApiResource, "version">,
  signal: AbortSignal,
): Promise<string> {
  const name = groupResourceText(resource);
  const version = await storageVersion(client, name, signal);
  const stored = version === undefined ? "the version that is stored" : `version ${version}`;
  const remedy = `set served: true on it in the CustomResourceDefinition; or, if its fields may be dropped, set storage: true on a served version`;
  return `CustomResourceDefinition ${name} does not serve ${stored}: writing at version ${resource.version} could drop fields, so nothing was written; ${remedy}`;
}

async function storageVersion(
  client: Requests,
  name: string,
  signal: AbortSignal,
): Promise<string | undefined> {
  try {
    const path = `/apis/apiextensions.k8s.io/v1/customresourcedefinitions/${encodeURIComponent(name)}`;
    // The API server answers with the requested object.
    const { spec } = (await client.request({ method: "GET", path, signal })) as Definition;
    const version = spec?.versions?.find(({ storage }) => storage === true)?.name;
    return version === undefined ? undefined : printable(version);
  } catch (error) {
    if (error instanceof KubeError && [403, 404].includes(error.httpStatus)) return undefined;
    throw error;
  }
}

/** Returns why Kubernetes' own migration must not write a resource: it writes at the preferred version. */
export function migrationObjection({ version, definition, ...resource }: ApiResource): string | undefined {
  if (definition === undefined || definition.objection !== undefined) return definition?.objection;
  if (definition.preferred === version) return undefined;
  return `StorageVersionMigration writes ${groupResourceText(resource)} at version ${definition.preferred}, and it is stored at version ${version}: fields could be dropped, so nothing was written; set spec.reencryption.engine to Claviger, which writes at version ${version}`;
}

/** The failure of a resource that is no longer served or stored at its version since the round began. */
export const storageVersionChanged = ({ version }: Pick<ApiResource, "version">) => ({
  reason: "StorageVersionChanged",
  message: `the API server stopped storing or serving it at version ${version} while its objects were written; the next round writes them at the version that is stored then`,
});
