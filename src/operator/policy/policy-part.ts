import { MalformedPolicy } from "../../access/policy/malformed-policy.ts";
import { readPolicy } from "../../access/policy/read-policy.ts";
import type { Finding } from "../../resources/conditions.ts";
import { isTooLong, policyTextOf } from "../../resources/key-policy.ts";
import type { MasterKey } from "../../resources/resources.ts";
import type { StatusPart } from "../master-key/assemble-status.ts";

const TYPE = "PolicyValid";

/** Decides the condition PolicyValid; a MasterKey without a policy of its own has none. `account` is this cluster's. */
export function policyPart(masterKey: MasterKey, account: string): StatusPart {
  const text = policyTextOf(masterKey);
  if (text === undefined) return { fields: {}, findings: [], ends: [TYPE] };
  return {
    fields: {},
    findings: [isTooLong(text) ? refused("it is longer than 32 KiB") : judged(masterKey, account)],
  };
}

function judged({ spec: { policy } }: MasterKey, account: string): Finding {
  try {
    const { statements } = readPolicy(policy, account);
    const message = `the AWS KMS API goes by the key policy, which has ${statements.length} ${statements.length === 1 ? "statement" : "statements"}`;
    return { type: TYPE, status: "True", reason: "WellFormed", message };
  } catch (error) {
    if (error instanceof MalformedPolicy) return refused(error.message);
    throw error;
  }
}

const refused = (why: string): Finding => ({
  type: TYPE,
  status: "False",
  reason: "MalformedPolicy",
  message: `spec.policy is malformed, so that the AWS KMS API allows nothing with this key: ${why}; correct spec.policy, or remove it to have the default policy`,
});
