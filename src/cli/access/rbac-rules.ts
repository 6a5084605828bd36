import { groupArn, principalArn } from "../../access/principal.ts";
import type { RbacSubject } from "../../access/who-may.ts";
import type { ObjectName } from "../../names.ts";
import { GROUP } from "../../resources/resources.ts";
import { groupsOf } from "./caller.ts";

/** A rule of a Role or ClusterRole; the rules of aggregated roles are already in it. */
export interface Rule {
  readonly verbs?: readonly string[];
  readonly apiGroups?: readonly string[];
  readonly resources?: readonly string[];
  readonly resourceNames?: readonly string[];
}

export interface Role {
  readonly metadata: { readonly name: string };
  readonly rules?: readonly Rule[] | null;
}

export interface Binding {
  readonly metadata: { readonly name: string };
  readonly roleRef: { readonly kind: string; readonly name: string };
  readonly subjects?:
    | readonly { readonly kind: string; readonly name: string; readonly namespace?: string }[]
    | null;
}

/** The RBAC objects that can concern a key: those of the cluster, and those of the key's namespace. */
export interface RbacObjects {
  readonly clusterRoles: readonly Role[];
  readonly roles: readonly Role[];
  readonly clusterRoleBindings: readonly Binding[];
  readonly roleBindings: readonly Binding[];
}

/** Kubernetes allows this group everything, before RBAC. */
const MASTERS = "system:masters";

/** Returns who may use a verb on a MasterKey, as Kubernetes' RBAC authorizer decides. `account` is that of the ARNs. */
export function rbacSubjects(objects: RbacObjects, key: ObjectName, account: string) {
  const rules = {
    ClusterRole: rulesAbout(objects.clusterRoles, key),
    Role: rulesAbout(objects.roles, key),
  };
  const bound = [
    ...boundBy("ClusterRoleBinding", objects.clusterRoleBindings, rules),
    ...boundBy("RoleBinding", objects.roleBindings, rules),
  ].map(({ binding, by, verbs }) => ({
    verbs,
    subjects: (binding.subjects ?? []).flatMap((subject) => subjectOf(subject, by, account) ?? []),
  }));
  return (verb: string): readonly RbacSubject[] => [
    ...mastersOf(account),
    ...bound.flatMap(({ verbs, subjects }) => (verbs.has(verb) || verbs.has("*") ? subjects : [])),
  ];
}

/** Returns the group that may do everything, if the policy leaves it to the account. */
export function mastersOf(account: string): readonly RbacSubject[] {
  const arn = groupArn(MASTERS, account) ?? MASTERS;
  return [{ arn, groups: [arn], name: `Group ${MASTERS}`, by: "it may do everything" }];
}

type Rules = Readonly<Record<"ClusterRole" | "Role", ReadonlyMap<string, ReadonlySet<string>>>>;

/** Returns the verbs that roles allow on the key, by the role's name. */
function rulesAbout(roles: readonly Role[], { name }: ObjectName): ReadonlyMap<string, ReadonlySet<string>> {
  return new Map(
    roles.map((role) => [
      role.metadata.name,
      new Set((role.rules ?? []).filter((rule) => isAbout(rule, name)).flatMap(({ verbs = [] }) => verbs)),
    ]),
  );
}

const isAbout = ({ apiGroups = [], resources = [], resourceNames = [] }: Rule, name: string): boolean =>
  hasOrAll(apiGroups, GROUP) &&
  hasOrAll(resources, "masterkeys") &&
  (resourceNames.length === 0 || resourceNames.includes(name));

const hasOrAll = (values: readonly string[], value: string): boolean =>
  values.includes("*") || values.includes(value);

function boundBy(kind: "ClusterRoleBinding" | "RoleBinding", bindings: readonly Binding[], rules: Rules) {
  return bindings.flatMap((binding) => {
    const { kind: roleKind, name } = binding.roleRef;
    // A ClusterRoleBinding refers to ClusterRoles only.
    const known =
      roleKind === "ClusterRole" ? rules.ClusterRole : kind === "RoleBinding" ? rules.Role : undefined;
    const verbs = known?.get(name);
    const by = `${kind} ${binding.metadata.name} of ${roleKind} ${name}`;
    return verbs === undefined || verbs.size === 0 ? [] : [{ binding, by, verbs }];
  });
}

function subjectOf(
  { kind, name, namespace = "" }: NonNullable<Binding["subjects"]>[number],
  by: string,
  account: string,
): RbacSubject | undefined {
  if (kind === "Group") {
    const arn = groupArn(name, account);
    return arn === undefined ? undefined : { arn, groups: [arn], name: `Group ${name}`, by };
  }
  const user = kind === "ServiceAccount" ? `system:serviceaccount:${namespace}:${name}` : name;
  const arn = principalArn(user, account);
  if (arn === undefined) return undefined;
  const groups = groupsOf(user).flatMap((group) => groupArn(group, account) ?? []);
  const text = kind === "ServiceAccount" ? `ServiceAccount ${namespace}/${name}` : `User ${name}`;
  return { arn, groups, name: text, by };
}
