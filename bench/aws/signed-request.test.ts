import { expect, it } from "vitest";
import { SignatureVerifier } from "../../src/aws/sigv4/signature-verifier.ts";
import { Secret } from "../../src/crypto/secret.ts";
import { signedRequest } from "./signed-request.ts";

const target = {
  ...{ address: "127.0.0.1:8443", region: "us-local-1" },
  ...{ accessKeyId: "AKIDEXAMPLE", secretAccessKey: "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY" },
};

it("the API accepts the signature of a request, so that a refusal is not what is measured", async () => {
  const text = await signedRequest(target, "Encrypt", { KeyId: "alias/orders" });
  const [head = "", body = ""] = text.split("\r\n\r\n");
  const [line, ...lines] = head.split("\r\n");
  const headers = lines.flatMap((header) => [
    header.slice(0, header.indexOf(":")),
    header.slice(header.indexOf(":") + 2),
  ]);
  const credential = { secret: Secret.take(Buffer.from(target.secretAccessKey)) };
  const verifier = new SignatureVerifier({ region: "us-local-1", service: "kms" });
  const request = { method: "POST", query: "", headers, body: Buffer.from(body) };
  expect(verifier.verify(request, () => credential, Date.now())).toBe(credential);
  expect(line).toBe("POST / HTTP/1.1");
});
