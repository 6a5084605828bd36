import type { Action } from "./actions.ts";
import { actions } from "./actions.ts";
import type { DecidingRule } from "./decide-access.ts";

/** Returns the deciding rule in words, for an AccessDeniedException and for logs. */
export function ruleText(rule: DecidingRule, action: Action): string {
  switch (rule.kind) {
    case "grant":
      return `grant ${rule.grantId} allows the kms:${action} action`;
    case "grant-token":
      return `the token of grant ${rule.grantId} allows the kms:${action} action`;
    case "policy-allow":
      return `the key policy allows the kms:${action} action`;
    // AWS KMS's words. The statement is not named: whoever is denied may not be one who may read the policy.
    case "policy-deny":
      return `an explicit deny in a resource-based policy denies the kms:${action} action`;
    case "policy-none":
      return `no resource-based policy allows the kms:${action} action, and no grant does`;
    case "policy-closed":
      return "the key policy is malformed, so that nothing is allowed: see the condition PolicyValid of its MasterKey";
    case "rbac":
      return `RBAC allows the verb ${rule.verb} on ${objectOf(action)}`;
    case "none":
      return `no grant allows the kms:${action} action and RBAC does not allow the verb ${rule.verb} on ${objectOf(action)}`;
    case "rbac-unknown":
      return `no grant allows the kms:${action} action and RBAC could not be asked for the verb ${rule.verb} on ${objectOf(action)}`;
  }
}

const objectOf = (action: Action): string =>
  actions[action].on === "key" ? "this MasterKey" : "masterkeys of the caller's namespace";
