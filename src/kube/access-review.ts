import { fieldsOf } from "../json.ts";
import { GROUP } from "../resources/resources.ts";
import type { KubeClient } from "./client.ts";

/** A question to the API server's authorizers: may a user do this with a MasterKey? */
export interface AccessQuestion {
  readonly user: string;
  readonly groups: readonly string[];
  readonly verb: string;
  readonly namespace: string;
  /** The name of the MasterKey; all MasterKeys of the namespace if left out. */
  readonly name?: string;
}

/**
 * Asks by a SubjectAccessReview. The groups that every user or ServiceAccount has are added, because a review does
 * not add them. Throws KubeError if the API server could not be asked.
 */
export async function reviewAccess(
  client: Pick<KubeClient, "request">,
  { user, groups, verb, namespace, name }: AccessQuestion,
  signal?: AbortSignal,
): Promise<boolean> {
  const answer = await client.request({
    method: "POST",
    path: "/apis/authorization.k8s.io/v1/subjectaccessreviews",
    body: {
      apiVersion: "authorization.k8s.io/v1",
      kind: "SubjectAccessReview",
      spec: {
        user,
        groups: [...new Set([...groups, "system:authenticated", ...serviceAccountGroups(user)])],
        resourceAttributes: { group: GROUP, resource: "masterkeys", verb, namespace, ...(name && { name }) },
      },
    },
    ...(signal && { signal }),
  });
  const { allowed, denied } = fieldsOf(fieldsOf(answer).status);
  return allowed === true && denied !== true;
}

function serviceAccountGroups(user: string): string[] {
  const [, namespace] = /^system:serviceaccount:([a-z0-9-]+):[a-z0-9.-]+$/.exec(user) ?? [];
  return namespace === undefined ? [] : ["system:serviceaccounts", `system:serviceaccounts:${namespace}`];
}
