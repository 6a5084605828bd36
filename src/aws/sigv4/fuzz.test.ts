import fc from "fast-check";
import { expect, test } from "vitest";
import { Secret } from "../../crypto/secret.ts";
import { EXAMPLE, signedHeaders } from "../../testing/aws-signer.ts";
import { AwsError } from "../aws-error.ts";
import { SignatureVerifier, type SignedRequest } from "./signature-verifier.ts";

const NOW = Date.UTC(2026, 10, 30, 12);
const verifier = new SignatureVerifier({ region: "us-local-1", service: "kms" });
const credential = { secret: Secret.take(Buffer.from(EXAMPLE.secretAccessKey)) };

/** `npm run fuzz` tries more than CI has time for. */
const FUZZ_RUNS = Number(process.env.CLAVIGER_TEST_FUZZ_RUNS ?? 5_000);

test("whatever the headers are => an AwsError that tells nothing of them", async () => {
  const request = { method: "POST", headers: await signedHeaders({ at: NOW }), body: Buffer.from("{}") };
  const piece = fc.oneof(
    fc.constantFrom(
      "AWS4-HMAC-SHA256 ",
      "Credential=",
      "AKIDEXAMPLE/20261130/us-local-1/kms/aws4_request",
      ",",
    ),
    fc.constantFrom(
      "SignedHeaders=",
      "host;x-amz-date",
      "Signature=",
      "=",
      "/",
      ";",
      "%",
      "__proto__",
      "0".repeat(64),
    ),
    fc.string({ unit: "binary", maxLength: 40 }),
  );
  const text = fc.array(piece, { maxLength: 8 }).map((pieces) => pieces.join(""));
  const name = fc.oneof(
    fc.constantFrom("authorization", "x-amz-date", "host", "date", "x-amz-security-token"),
    text,
  );
  const bag = fc.array(fc.tuple(name, text), { maxLength: 12 });
  fc.assert(
    fc.property(bag, text, (headers, query) => {
      const canary = "canary-that-nobody-may-see";
      const odd = { ...request, query, headers: [...headers.flat(), "x-other", canary] };
      const told = refusal(odd);
      expect(told).toMatch(/^[A-Z][A-Za-z]+Exception: [ -~]+$/);
      expect(told).not.toContain(canary);
    }),
    { numRuns: FUZZ_RUNS },
  );
});

/** Returns the name and the text of the refusal. */
function refusal(request: SignedRequest): string {
  try {
    verifier.verify(request, () => credential, NOW);
  } catch (error) {
    if (error instanceof AwsError) return `${error.type}: ${error.message}`;
    throw error;
  }
  return "accepted";
}
