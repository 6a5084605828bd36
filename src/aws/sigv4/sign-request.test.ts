import { expect, it } from "vitest";
import { Secret } from "../../crypto/secret.ts";
import { EXAMPLE, signedHeaders } from "../../testing/aws-signer.ts";
import { signRequest } from "./sign-request.ts";

const AT = Date.UTC(2026, 10, 30, 20, 0, 0);
const signer = {
  accessKeyId: EXAMPLE.accessKeyId,
  secret: Secret.take(Buffer.from(EXAMPLE.secretAccessKey)),
};

it("a request is signed as the AWS SDK for JavaScript signs it", async () => {
  const body = '{"KeyId":"alias/orders"}';
  const site = { region: "us-local-1", service: "kms" };
  const own = signRequest({ host: "kms.test", operation: "Encrypt", body }, signer, site, AT);
  const headers = { "content-type": own["content-type"] ?? "", "x-amz-target": "TrentService.Encrypt" };
  const theirs = await signedHeaders({ at: AT, body, headers });
  expect(own.authorization).toBe(theirs[theirs.indexOf("authorization") + 1]);
});
