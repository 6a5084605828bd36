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
