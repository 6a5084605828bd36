import { AwsError } from "../aws-error.ts";

/** Returns the answer to a dry run of a request that would have succeeded. */
export const dryRun = (): AwsError =>
  new AwsError("DryRunOperationException", "The request would have succeeded, but the DryRun option is set.");
