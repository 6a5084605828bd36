import { AwsError } from "../aws-error.ts";

/** AWS's text for every signature that does not match, whatever the reason. */
const MISMATCH =
  "The request signature we calculated does not match the signature you provided. Check your AWS Secret " +
  "Access Key and signing method. Consult the service documentation for details.";

export const missingToken = (): AwsError =>
  new AwsError("MissingAuthenticationTokenException", "Missing Authentication Token");

export const incomplete = (message: string): AwsError =>
  new AwsError("IncompleteSignatureException", message);

export const invalid = (message: string): AwsError => new AwsError("InvalidSignatureException", message);

export const mismatch = (): AwsError => invalid(MISMATCH);

export const unknownClient = (): AwsError =>
  new AwsError("UnrecognizedClientException", "The security token included in the request is invalid.");

export const expiredToken = (): AwsError =>
  new AwsError("ExpiredTokenException", "The security token included in the request is expired");
