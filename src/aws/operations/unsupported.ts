import { AwsError } from "../aws-error.ts";

/** Members of requests for which claviger has no service: Nitro enclaves, custom key stores, AWS's own services. */
const MEMBERS = [
  "Recipient",
  "CustomKeyStoreId",
  "XksKeyId",
  "GranteeServicePrincipal",
  "RetiringServicePrincipal",
] as const;

/** Throws UnsupportedOperationException if the input has a member that asks for something claviger does not have. */
export function refuseUnsupportedMembers(input: object): void {
  const member = MEMBERS.find((name) => Object.hasOwn(input, name));
  if (member === undefined) return;
  throw new AwsError("UnsupportedOperationException", `claviger does not support ${member}: leave it out.`);
}
