import type { KubeClient } from "../../kube/client.ts";
import { KubeError } from "../../kube/kube-error.ts";
import { collectionPath, objectPath } from "../../kube/paths.ts";
import type { Kind, ResourceOf } from "../../resources/resources.ts";

/** Reads all objects of a kind. Without a resourceVersion the API server reads from etcd with quorum. */
export async function readAll<K extends Kind>(
  client: KubeClient,
  kind: K,
  signal: AbortSignal,
): Promise<readonly ResourceOf[K][]> {
  const path = collectionPath(kind);
  const list = (await client.request({ method: "GET", path, signal })) as {
    items: readonly ResourceOf[K][];
  };
  return list.items;
}

/** Returns true if there is a KeyVersion of that name, even if our watch has not shown it yet. */
export async function hasKeyVersion(client: KubeClient, name: string, signal: AbortSignal): Promise<boolean> {
  const path = objectPath("KeyVersion", { name });
  // Metadata is enough.
  const accept = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1,application/json";
  const found = client.request({ method: "GET", path, accept, signal }).then(() => true);
  return (await unlessNotFound(found)) ?? false;
}

/** Returns the uid of the Node of that name; undefined if there is none. */
export async function nodeUid(
  client: KubeClient,
  name: string,
  signal: AbortSignal,
): Promise<string | undefined> {
  const node = await unlessNotFound(client.request({ method: "GET", path: `/api/v1/nodes/${name}`, signal }));
  return (node as { readonly metadata: { readonly uid: string } } | undefined)?.metadata.uid;
}

/** Returns the answer of a call; undefined if there is no such object. */
async function unlessNotFound<T>(answer: Promise<T>): Promise<T | undefined> {
  try {
    return await answer;
  } catch (error) {
    if (error instanceof KubeError && error.httpStatus === 404) return undefined;
    throw error;
  }
}
