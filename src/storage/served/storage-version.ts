import { createHash } from "node:crypto";
import { KubeError } from "../../kube/kube-error.ts";
import type { ApiResource, Requests } from "./discovery.ts";
import { storageVersionObjection } from "./storage-version-objection.ts";

/** A resource at the version that the API server prefers, and the other versions that serve it. */
export interface ServedResource extends Omit<ApiResource, "definition"> {
  readonly others: readonly string[];
  /** True if a CustomResourceDefinition defines it. */
  readonly custom: boolean;
}

/** The fields of an APIResourceList of meta/v1 that are used here. */
interface ResourceList {
  readonly resources: readonly {
    readonly name: string;
    readonly kind: string;
    readonly storageVersionHash?: string;
  }[];
}

/**
 * Returns the resources at their storage versions. At another version, a custom resource is converted when it
 * is read and converted back when it is written, and loses the fields that the other version's schema or a
 * webhook's conversion leaves out. So a custom resource whose storage version is not served gets an
 * objection. Throws the errors of the client.
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
    // The API server answers with the requested list.
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
 * Returns the storage version, if it is served. The list has its hash: StorageVersionHash of
 * k8s.io/apiserver, pkg/endpoints/discovery. A custom resource whose storage version is not served has no
 * hash (DiscoveryController of k8s.io/apiextensions-apiserver).
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
 * Returns true if a resource is still stored at the version that was chosen for it: its
 * CustomResourceDefinition may be edited while its objects are written. Throws the errors of the client.
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
