import { isDeepStrictEqual } from "node:util";
import { AwsError } from "../../aws-error.ts";
import { type ChangeFacts, type KeyInput, keyChange, type Nothing } from "../../management/key-change.ts";
import { POLICY_NAME } from "../aws-policies.ts";
import { isGiven, readGivenPolicy, refuseLockout } from "../given-policy.ts";
import { judgeQuestion } from "../policy-word.ts";

interface Input extends KeyInput {
  readonly PolicyName?: string;
  readonly Policy: string;
  readonly BypassPolicyLockoutSafetyCheck?: boolean;
}

/** Replaces spec.policy. AWS KMS allows it in every state of the key. */
export const putKeyPolicy = keyChange<Input, Nothing>({
  action: "PutKeyPolicy",
  decide({ masterKey }, input, facts) {
    const document = acceptedDocument(input, facts);
    const { policy: former = {} } = masterKey.spec;
    if (isDeepStrictEqual(former, document)) return undefined;
    // A merge patch keeps the elements that it does not name.
    const gone = Object.keys(former).filter((name) => !Object.hasOwn(document, name));
    return { policy: { ...Object.fromEntries(gone.map((name) => [name, null])), ...document } };
  },
  isShown(shown, input) {
    const { kind, document } = shown.policy();
    return kind === "own" && isGiven(document, input.Policy);
  },
  answer: () => ({}),
});

function acceptedDocument(
  { PolicyName = POLICY_NAME, Policy, BypassPolicyLockoutSafetyCheck = false }: Input,
  { request, key, keys }: ChangeFacts,
): Readonly<Record<string, unknown>> {
  if (PolicyName !== POLICY_NAME)
    throw new AwsError("ValidationException", `A key has no policy but the one named ${POLICY_NAME}.`);
  const { document, policy } = readGivenPolicy(Policy, keys.site.account);
  if (!BypassPolicyLockoutSafetyCheck)
    refuseLockout(judgeQuestion(policy, { request, need: { action: "PutKeyPolicy", key }, key, keys }));
  return document;
}
