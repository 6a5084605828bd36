import type { Verdict } from "../../access/policy/judge-policy.ts";
import { MalformedPolicy } from "../../access/policy/malformed-policy.ts";
import type { Policy } from "../../access/policy/policy.ts";
import { readPolicy } from "../../access/policy/read-policy.ts";
import { parsedJson } from "../../json.ts";
import { isTooLong } from "../../resources/key-policy.ts";
import { isFields } from "../../store/manifests/merge-patch.ts";
import { AwsError } from "../aws-error.ts";

/** A policy that a request brings. */
export interface GivenPolicy {
  /** The document as it goes into spec.policy. Its Statement is a list, which a merge patch replaces as a whole. */
  readonly document: Readonly<Record<string, unknown>>;
  readonly policy: Policy;
}

/** Reads the text of a policy. Throws LimitExceededException or MalformedPolicyDocumentException. */
export function readGivenPolicy(text: string, account: string): GivenPolicy {
  if (isTooLong(text)) throw new AwsError("LimitExceededException", "A key policy has at most 32 KiB.");
  const document = parsedJson(text);
  if (!isFields(document)) throw malformed("the policy must be an object in JSON");
  try {
    const policy = readPolicy(document, account);
    const { Statement } = document;
    return {
      document: { ...document, Statement: Array.isArray(Statement) ? Statement : [Statement] },
      policy,
    };
  } catch (error) {
    throw error instanceof MalformedPolicy ? malformed(error.message) : error;
  }
}

const malformed = (why: string): AwsError =>
  new AwsError("MalformedPolicyDocumentException", `The policy is refused: ${why}.`);

/**
 * Throws MalformedPolicyDocumentException, with AWS's words, if the caller could not put another policy in place of a
 * new one. A policy that leaves it to the account passes, as in AWS KMS: RBAC can allow it.
 */
export function refuseLockout({ effect }: Verdict): void {
  if (effect === "allow" || effect === "account") return;
  throw new AwsError(
    "MalformedPolicyDocumentException",
    "The new key policy will not allow you to update the key policy in the future.",
  );
}
