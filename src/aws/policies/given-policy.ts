import { isDeepStrictEqual } from "node:util";
import type { Verdict } from "../../access/policy/judge-policy.ts";
import { MalformedPolicy } from "../../access/policy/malformed-policy.ts";
import type { Policy } from "../../access/policy/policy.ts";
import { readPolicy } from "../../access/policy/read-policy.ts";
import { fieldsOf, parsedJson } from "../../json.ts";
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
  const given = parsedJson(text);
  if (!isFields(given)) throw malformed("the policy must be an object in JSON");
  try {
    const policy = readPolicy(given, account);
    return { document: asKept(given), policy };
  } catch (error) {
    throw error instanceof MalformedPolicy ? malformed(error.message) : error;
  }
}

const asKept = (given: GivenPolicy["document"]): GivenPolicy["document"] => {
  const { Statement } = given;
  return { ...given, Statement: Array.isArray(Statement) ? Statement : [Statement] };
};

/** Returns true if a policy that is kept is the one that a text gave. */
export const isGiven = (kept: string, text: string): boolean =>
  isDeepStrictEqual(parsedJson(kept), asKept(fieldsOf(parsedJson(text))));

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
