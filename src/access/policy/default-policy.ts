import { rootArn } from "../principal.ts";

/** Returns AWS KMS's default key policy: it leaves every decision to the account, in this cluster to RBAC. */
export const defaultPolicy = (account: string) => ({
  Version: "2012-10-17",
  Id: "key-default-1",
  Statement: [
    {
      Sid: "Enable IAM User Permissions",
      Effect: "Allow",
      Principal: { AWS: rootArn(account) },
      Action: "kms:*",
      Resource: "*",
    },
  ],
});
