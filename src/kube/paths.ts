import type { ObjectName } from "../names.ts";
import { resources } from "../resources/definitions.ts";
import { GROUP, type Kind, VERSION } from "../resources/resources.ts";

/** Returns the path of all objects of a kind, or of those in a namespace. */
export const collectionPath = (kind: Kind, namespace?: string): string =>
  `/apis/${GROUP}/${VERSION}${namespace === undefined ? "" : `/namespaces/${namespace}`}/${resources[kind].plural}`;

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
