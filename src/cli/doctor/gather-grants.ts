import { messageOf } from "../../errors.ts";
import type { KubeClient } from "../../kube/client.ts";
import { KubeError } from "../../kube/kube-error.ts";
import { collectionPath } from "../../kube/paths.ts";
import { readGrantGuard, readKeyPolicyGuard } from "../../store/kube/grant-guard.ts";
import { absent, type Look } from "./look.ts";
import type { GrantSupport } from "./observed.ts";

/**
 * Asks the API server if it serves KeyGrants, and for the admission policies that guard them and key policies. An operator with the
 * rights of an earlier release may not read the policy, which is no failure.
 */
export async function lookAtGrants(client: KubeClient, signal: AbortSignal): Promise<Look<GrantSupport>> {
  try {
    const [served, guard, policyGuard] = await Promise.all([
      servesGrants(client, signal),
      readGrantGuard(client, signal),
      readKeyPolicyGuard(client, signal),
    ]);
    return { kind: "seen", value: { served, guard, policyGuard } };
  } catch (error) {
    if (isRefused(error, 403)) return absent(`${messageOf(error)}; apply deploy/rbac.yaml of this release`);
    return { kind: "failed", reason: messageOf(error) };
  }
}

async function servesGrants(client: KubeClient, signal: AbortSignal): Promise<boolean> {
  try {
    await client.request({ method: "GET", path: collectionPath("KeyGrant"), query: { limit: "1" }, signal });
    return true;
  } catch (error) {
    if (isRefused(error, 404)) return false;
    throw error;
  }
}

const isRefused = (error: unknown, status: number): error is KubeError =>
  error instanceof KubeError && error.httpStatus === status;
