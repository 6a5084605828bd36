import type { MasterKey } from "./resources.ts";

/** AWS KMS's limit of a key policy in JSON. */
export const MAX_POLICY_BYTES = 32 * 1024;

/** Returns the text of a MasterKey's policy in JSON; undefined if it has none of its own. */
export function policyTextOf({ spec: { policy } }: Pick<MasterKey, "spec">): string | undefined {
  return policy === undefined ? undefined : JSON.stringify(policy);
}

/** Returns true if a policy's text is longer than AWS KMS allows. */
export const isTooLong = (text: string): boolean => Buffer.byteLength(text) > MAX_POLICY_BYTES;
