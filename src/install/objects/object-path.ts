import { ClavigerError } from "../../errors.ts";
import type { KubeObject } from "../changes.ts";

/** The plural of every kind that claviger's manifests have, and if it belongs to a namespace. */
const KINDS: Readonly<Record<string, { readonly plural: string; readonly namespaced?: boolean }>> = {
  Namespace: { plural: "namespaces" },
  ClusterRole: { plural: "clusterroles" },
  ClusterRoleBinding: { plural: "clusterrolebindings" },
  Role: { plural: "roles", namespaced: true },
  RoleBinding: { plural: "rolebindings", namespaced: true },
  CustomResourceDefinition: { plural: "customresourcedefinitions" },
  ValidatingAdmissionPolicy: { plural: "validatingadmissionpolicies" },
  ValidatingAdmissionPolicyBinding: { plural: "validatingadmissionpolicybindings" },
  MutatingAdmissionPolicy: { plural: "mutatingadmissionpolicies" },
  MutatingAdmissionPolicyBinding: { plural: "mutatingadmissionpolicybindings" },
  MasterKey: { plural: "masterkeys", namespaced: true },
};

/** Returns the path of an object. Throws for a kind that no manifest of claviger has. */
export function pathOf({ apiVersion, kind, metadata: { name, namespace } }: KubeObject): string {
  const row = Object.hasOwn(KINDS, kind) ? KINDS[kind] : undefined;
  if (row === undefined) throw new ClavigerError("Internal", `init does not know objects of kind ${kind}`);
  const group = apiVersion.includes("/") ? `/apis/${apiVersion}` : `/api/${apiVersion}`;
  const scope = row.namespaced === true ? `/namespaces/${namespace}` : "";
  return `${group}${scope}/${row.plural}/${name}`;
}
