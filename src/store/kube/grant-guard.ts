import type { KubeClient } from "../../kube/client.ts";
import { KubeError } from "../../kube/kube-error.ts";
import { GROUP } from "../../resources/resources.ts";
import { parseTime } from "../../times.ts";
import type { GrantGuard } from "../roles.ts";

/** The policy in deploy/admission.yaml that keeps `spec.grantedBy` true, and its binding. */
export const GRANT_POLICY = `keygrant-granted.${GROUP}`;
/** The policy and binding that let nobody set `spec.policy` of a MasterKey without the verb put-key-policy. */
export const KEY_POLICY_POLICY = `masterkey-policy.${GROUP}`;

const ADMISSION = "/apis/admissionregistration.k8s.io/v1";
const REMEDY = "apply deploy/rbac.yaml and deploy/admission.yaml of this release";

interface Policy {
  readonly metadata: { readonly creationTimestamp?: string; readonly deletionTimestamp?: string };
  readonly spec?: {
    readonly failurePolicy?: string;
    readonly matchConditions?: readonly unknown[];
    readonly paramKind?: unknown;
  };
}

interface Binding extends Pick<Policy, "metadata"> {
  readonly spec?: {
    readonly policyName?: string;
    readonly validationActions?: readonly string[];
    readonly matchResources?: unknown;
  };
}

/** Reads the admission policy of KeyGrants and its binding. */
export const readGrantGuard = (client: KubeClient, signal: AbortSignal): Promise<GrantGuard> =>
  readGuard(client, GRANT_POLICY, signal);

/** Reads the admission policy of key policies and its binding. */
export const readKeyPolicyGuard = (client: KubeClient, signal: AbortSignal): Promise<GrantGuard> =>
  readGuard(client, KEY_POLICY_POLICY, signal);

/**
 * Reads an admission policy and its binding. Whoever may write them is trusted with everything; a policy that was
 * removed, or that only warns, is noticed.
 */
async function readGuard(client: KubeClient, name: string, signal: AbortSignal): Promise<GrantGuard> {
  const [policy, binding] = await Promise.all([
    found<Policy>(client, `${ADMISSION}/validatingadmissionpolicies/${name}`, signal),
    found<Binding>(client, `${ADMISSION}/validatingadmissionpolicybindings/${name}`, signal),
  ]);
  return guardOf(name, policy, binding);
}

/** Judges a policy of this name and its binding; undefined stands for an object that is not there. */
export function guardOf(name: string, policy: Policy | undefined, binding: Binding | undefined): GrantGuard {
  if (policy === undefined) return missing(`there is no ValidatingAdmissionPolicy ${name}`);
  if (binding === undefined) return missing(`there is no ValidatingAdmissionPolicyBinding ${name}`);
  const { policyName, validationActions = [], matchResources } = binding.spec ?? {};
  const { failurePolicy, matchConditions = [], paramKind } = policy.spec ?? {};
  const guards =
    policyName === name &&
    validationActions.includes("Deny") &&
    isEverything(matchResources) &&
    failurePolicy !== "Ignore" &&
    matchConditions.length === 0 &&
    paramKind === undefined;
  if (!guards)
    return missing(
      `ValidatingAdmissionPolicy ${name} or its binding was changed and does not guard every object of its kind`,
    );
  const times = [policy, binding].map(
    ({ metadata }) => parseTime(metadata.creationTimestamp) ?? Number.POSITIVE_INFINITY,
  );
  return { kind: "in-force", since: Math.max(...times) };
}

/** The API server fills in empty selectors, which match everything. */
const isEverything = (matchResources: unknown): boolean =>
  Object.entries((matchResources ?? {}) as Readonly<Record<string, unknown>>).every(
    ([field, value]) => field === "matchPolicy" || isEmpty(value),
  );

const isEmpty = (value: unknown): boolean =>
  typeof value === "object" && value !== null && Object.keys(value).length === 0;

const missing = (what: string): GrantGuard => ({ kind: "missing", message: `${what}: ${REMEDY}` });

async function found<T>(client: KubeClient, path: string, signal: AbortSignal): Promise<T | undefined> {
  try {
    return (await client.request({ method: "GET", path, signal })) as T;
  } catch (error) {
    if (error instanceof KubeError && error.httpStatus === 404) return undefined;
    throw error;
  }
}
