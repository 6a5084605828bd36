import type { Action } from "../../access/actions.ts";
import {
  type AccessFacts,
  type DecidingRule,
  type Decision,
  decideAccess,
  type RbacAnswer,
  type TokenGrant,
} from "../../access/decide-access.ts";
import { ruleText } from "../../access/rule-text.ts";
import type { KeyRow } from "../../keyring/rows.ts";
import { AwsError } from "../aws-error.ts";
import type { Caller } from "../caller.ts";
import { type AwsGrants, grantsMissing } from "../grants/aws-grants.ts";
import type { AwsKeys } from "../keys/aws-keys.ts";
import type { Need, Request } from "../operations/operation.ts";
import { policyWord } from "../policies/policy-word.ts";
import { Telemetry } from "../telemetry/telemetry.ts";
import { resourceText } from "./resource-text.ts";

/** An answer of RBAC, or "throttled" if too many questions wait for theirs. */
export type RbacReply = RbacAnswer | "throttled";

/** The RBAC of the API server, or what stands for it without a cluster. */
export interface Rbac {
  /** Returns the answer to a verb on a key, or on the keys of the caller's namespace. Never rejects. */
  ask(caller: Caller, verb: string, key: KeyRow | undefined): RbacReply | Promise<RbacReply>;
}

/** Decides by key policies, grants and RBAC if a caller may do what its request asks for. */
export class Access {
  readonly #grants: AwsGrants;
  readonly #rbac: Rbac;
  readonly #telemetry: Telemetry;

  constructor(grants: AwsGrants, rbac: Rbac, telemetry = new Telemetry()) {
    this.#grants = grants;
    this.#rbac = rbac;
    this.#telemetry = telemetry;
  }

  /**
   * Returns the ids of the grants that allow what RBAC was not asked about. The caller has freshened `keys`.
   * Throws AccessDeniedException unless the caller has all permissions, DependencyTimeoutException or
   * ThrottlingException if RBAC could not be asked, DependencyTimeoutException if the grants are not read yet, and
   * InvalidGrantTokenException if a token of the request is none of this site's.
   */
  async check(request: Request<object>, needs: readonly Need[], keys: AwsKeys): Promise<readonly string[]> {
    const { input } = request;
    this.#grants.follow();
    const tokens = this.#grants.tokens(tokensOf(input));
    const used: string[] = [];
    request.draft?.begin();
    for (const need of needs) {
      const { effect, rule } = await this.#decide(request, need, tokens, keys);
      this.#telemetry.decided(effect, rule.kind);
      request.draft?.decided(rule);
      if (effect === "deny") throw refusal(rule, request, need, keys);
      if ("grantId" in rule) used.push(rule.grantId);
    }
    return used;
  }

  /** Policies and grants may have changed while RBAC was asked. */
  #freshen(keys: AwsKeys): void {
    keys.freshen();
    this.#grants.follow();
  }

  async #decide(
    request: Request<object>,
    need: Need,
    tokens: readonly TokenGrant[],
    keys: AwsKeys,
  ): Promise<Exclude<Decision, { readonly effect: "ask-rbac" }>> {
    const { caller, now } = request;
    const { key, context = {}, ...rest } = need;
    const { complete } = this.#grants;
    const asked = { ...rest, principal: caller.arn, keyId: key?.keyId, masterKey: key, context };
    const facts = (rbac: RbacAnswer): AccessFacts => ({
      policy: policyWord(request, need, keys),
      grants: this.#grants.index,
      // The end of a token's grant may be among the rows that are still to be read.
      tokens: complete ? tokens : [],
      rbac,
    });
    let decision = decideAccess(asked, facts("not-asked"), now);
    if (decision.effect === "ask-rbac") {
      const answer = await this.#rbac.ask(caller, decision.verb, key);
      if (answer === "throttled") throw new AwsError("ThrottlingException", "Rate exceeded");
      this.#freshen(keys);
      decision = decideAccess(asked, facts(answer), now);
    }
    if (decision.effect === "deny" && !complete && !isFinal(decision.rule)) throw grantsMissing();
    if (decision.effect !== "ask-rbac") return decision;
    return { effect: "deny", rule: { kind: "rbac-unknown", verb: decision.verb } };
  }
}

/** No grant allows what a policy denies. */
const isFinal = ({ kind }: DecidingRule): boolean => kind === "policy-deny" || kind === "policy-closed";

interface TokenInput {
  readonly GrantTokens?: readonly string[];
  /** RetireGrant has this one. */
  readonly GrantToken?: string;
}

/** The service model has checked the members, if the operation has it. */
const tokensOf = ({ GrantTokens = [], GrantToken }: TokenInput): readonly string[] =>
  GrantToken === undefined ? GrantTokens : [...GrantTokens, GrantToken];

/** A question that was not answered is no refusal: clients retry it, and do not take back what they may do. */
function refusal(
  rule: DecidingRule,
  request: Request<object>,
  { action, key }: Need,
  keys: AwsKeys,
): AwsError {
  const what = `kms:${action satisfies Action} on resource: ${resourceText(key, request, keys)}`;
  const { arn } = request.caller;
  const why = ruleText(rule, action);
  return rule.kind === "rbac-unknown"
    ? new AwsError(
        "DependencyTimeoutException",
        `User: ${arn} may not perform ${what} now because ${why}: retry, or see the log of claviger api`,
      )
    : new AwsError(
        "AccessDeniedException",
        `User: ${arn} is not authorized to perform: ${what} because ${why}`,
      );
}
