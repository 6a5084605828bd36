import { messageOf } from "../../errors.ts";
import type { KubeClient } from "../../kube/client.ts";
import { listAll } from "./list-all.ts";
import type { Binding, RbacObjects, Role } from "./rbac-rules.ts";

const API = "/apis/rbac.authorization.k8s.io/v1";

/** The RBAC objects that could be read, and why others could not. */
export interface RbacLook {
  readonly objects: RbacObjects;
  /** The error of each collection that could not be read. Without any, the objects are complete. */
  readonly missing: readonly string[];
}

/** Reads the RBAC objects of the cluster and of a namespace. Never rejects. */
export async function readRbac(client: Pick<KubeClient, "request">, namespace: string): Promise<RbacLook> {
  const missing: string[] = [];
  const read = async (path: string): Promise<readonly unknown[]> => {
    try {
      return await listAll(client, path);
    } catch (error) {
      missing.push(messageOf(error));
      return [];
    }
  };
  const [clusterRoles, clusterRoleBindings, roles, roleBindings] = await Promise.all([
    read(`${API}/clusterroles`),
    read(`${API}/clusterrolebindings`),
    read(`${API}/namespaces/${namespace}/roles`),
    read(`${API}/namespaces/${namespace}/rolebindings`),
  ]);
  // The API server validates its own kinds.
  const objects = {
    ...{ clusterRoles: clusterRoles as readonly Role[], roles: roles as readonly Role[] },
    clusterRoleBindings: clusterRoleBindings as readonly Binding[],
    roleBindings: roleBindings as readonly Binding[],
  };
  return { objects, missing };
}
