import { KubeError } from "../kube/client.ts";
import type { ApiResource, StoredName } from "./api-resources.ts";

/**
 * The etcd keys whose values the API server could not decrypt or decode for a
 * list, in their order; undefined where the list failed for another reason.
 * Since 1.37 the answer names up to 100 as its causes (KEP-3926); before, the
 * first one in its message.
 */
export function unreadableKeys(error: unknown): readonly string[] | undefined {
  if (!(error instanceof KubeError)) return undefined;
  const { reason, message = "", causes } = error.refusal;
  if (reason === "StorageReadError") {
    return causes.flatMap(({ field }) => (field?.startsWith("/") ? [field] : []));
  }
  const key = /unable to (?:transform|decode) key "([^"]+)"/.exec(message)?.[1];
  return error.httpStatus === 500 && key !== undefined ? [key] : undefined;
}

/** The object under a key; PREFIX/…/NAMESPACE/NAME or PREFIX/…/NAME. */
export function nameOfKey(key: string, { namespaced }: ApiResource): StoredName {
  const [name = "", namespace = ""] = key.split("/").reverse();
  return namespaced ? { namespace, name } : { name };
}
