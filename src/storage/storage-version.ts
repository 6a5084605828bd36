import { createHash } from "node:crypto";
import type { KubeClient } from "../kube/client.ts";
import type { ApiResource } from "./api-resources.ts";

/** A resource at the version that the API server prefers, and the others that serve it. */
export interface ServedResource extends ApiResource {
  readonly others: readonly string[];
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
 * The resources at the versions that they are stored at, where those are served. At
 * another one a custom resource is converted to be read and back to be written, and loses
 * what the other version's schema or a webhook's conversion leaves out. Throws what the
 * client throws.
 */
export async function atStorageVersions(
  client: KubeClient,
  resources: readonly ServedResource[],
  signal: AbortSignal,
): Promise<ApiResource[]> {
  const lists = new Map<string, ResourceList>();
  const found: ApiResource[] = [];
  for (const { others, ...resource } of resources) {
    const path = `/apis/${resource.group}/${resource.version}`;
    if (others.length > 0 && !lists.has(path)) {
      // The API server answers the list that was asked for.
      lists.set(path, (await client.request({ method: "GET", path, signal })) as ResourceList);
    }
    found.push(others.length > 0 ? stored(resource, others, lists.get(path)) : resource);
  }
  return found;
}

/** The list has the storage version as a hash: StorageVersionHash of k8s.io/apiserver, pkg/endpoints/discovery. */
function stored(
  resource: ApiResource,
  others: readonly string[],
  list: ResourceList | undefined,
): ApiResource {
  const { kind = "", storageVersionHash } =
    list?.resources.find(({ name }) => name === resource.resource) ?? {};
  const version = others.find((other) => hash(`${resource.group}/${other}/${kind}`) === storageVersionHash);
  return version === undefined ? resource : { ...resource, version };
}

const hash = (text: string): string =>
  createHash("sha256").update(text).digest().subarray(0, 8).toString("base64");
