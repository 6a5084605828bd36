import type { ObjectName } from "../names.ts";
import { resources } from "../resources/definitions.ts";
import { GROUP, type Kind, VERSION } from "../resources/resources.ts";

/** Returns the path of all objects of a kind. */
export const collectionPath = (kind: Kind): string => `/apis/${GROUP}/${VERSION}/${resources[kind].plural}`;

/** Returns the path of one object. */
export function objectPath(
  kind: Kind,
  { namespace, name }: Partial<ObjectName> & { readonly name: string },
): string {
  const { plural, namespaced } = resources[kind];
  const scope = namespaced ? `/namespaces/${namespace}` : "";
  return `/apis/${GROUP}/${VERSION}${scope}/${plural}/${name}`;
}

/** Returns the path of the Leases of a namespace. */
export const leasesPath = (namespace: string): string =>
  `/apis/coordination.k8s.io/v1/namespaces/${namespace}/leases`;
