import { createHash } from "node:crypto";
import { KubeError } from "../../kube/kube-error.ts";
import type { ApiResource, Requests } from "./discovery.ts";
import { storageVersionObjection } from "./storage-version-objection.ts";

/** A resource at the version that the API server prefers, and the others that serve it. */
export interface ServedResource extends Omit<ApiResource, "definition"> {
  readonly others: readonly string[];
  /** Whether a CustomResourceDefinition defines it. */
  readonly custom: boolean;
}

/** APIResourceList of meta/v1, as far as it is used. */
interface ResourceList {
  readonly resources: readonly {
    readonly name: string;
    readonly kind: string;
    readonly storageVersionHash?: string;
  }[];
}

/**
 * Returns the resources at the versions that they are stored at. At another version a custom
 * resource is converted to be read and converted back to be written, and loses what the other
 * version's schema or a webhook's conversion leaves out: a custom resource whose storage version
 * is not served has an objection. Throws what the client throws.
 */
export async function atStorageVersions(
  client: Requests,
  resources: readonly ServedResource[],
  signal: AbortSignal,
): Promise<ApiResource[]> {
  const lists = new Map<string, ResourceList | undefined>();
  const found: ApiResource[] = [];
  for (const one of resources) {
    const path = `/apis/${one.group}/${one.version}`;
    const asked = one.custom || one.others.length > 0;
    if (asked && !lists.has(path)) lists.set(path, await resourceList(client, path, signal));
    found.push(await stored(client, one, lists.get(path), signal));
  }
  return found;
}

/** Returns undefined if the version stopped being served a moment ago. */
async function resourceList(
  client: Requests,
  path: string,
  signal: AbortSignal,
): Promise<ResourceList | undefined> {
  try {
    // The API server answers the list that was asked for.
    return (await client.request({ method: "GET", path, signal })) as ResourceList;
  } catch (error) {
    if (error instanceof KubeError && error.httpStatus === 404) return undefined;
    throw error;
  }
}

async function stored(
  client: Requests,
  { others, custom, ...resource }: ServedResource,
  list: ResourceList | undefined,
  signal: AbortSignal,
): Promise<ApiResource> {
  const version = storedAt(resource, [resource.version, ...others], list);
  if (!custom) return { ...resource, version: version ?? resource.version };
  const preferred = resource.version;
  if (version !== undefined) return { ...resource, version, definition: { preferred } };
  const objection = await storageVersionObjection(client, resource, signal);
  return { ...resource, definition: { preferred, objection } };
}

/**
 * Returns the storage version, if it is served: the list has it as a hash, StorageVersionHash of
 * k8s.io/apiserver, pkg/endpoints/discovery. A custom resource whose storage version is not
 * served has no hash (DiscoveryController of k8s.io/apiextensions-apiserver).
 */
function storedAt(
  { group, resource }: Pick<ApiResource, "group" | "resource">,
  versions: readonly string[],
  list: ResourceList | undefined,
): string | undefined {
  const { kind = "", storageVersionHash } = list?.resources.find(({ name }) => name === resource) ?? {};
  return versions.find((version) => hash(`${group}/${version}/${kind}`) === storageVersionHash);
}

/**
 * Returns whether a resource is stored at the version that was chosen for it before: its
 * CustomResourceDefinition may be edited while its objects are written. Throws what the client throws.
 */
export async function isStillStoredAt(
  client: Requests,
  resource: ApiResource,
  signal: AbortSignal,
): Promise<boolean> {
  if (resource.definition === undefined) return true;
  const list = await resourceList(client, `/apis/${resource.group}/${resource.version}`, signal);
  return storedAt(resource, [resource.version], list) === resource.version;
}

const hash = (text: string): string =>
  createHash("sha256").update(text).digest().subarray(0, 8).toString("base64");
