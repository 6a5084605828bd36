import fc from "fast-check";
import { expect, test } from "vitest";
import { parseSessionToken } from "../sessions/session-token.ts";
import { StsError } from "./sts-error.ts";
import { parseForm } from "./sts-form.ts";
import { readStsRequest } from "./sts-request.ts";
import { tokenExpiry } from "./web-identity.ts";

/** `npm run fuzz` tries more than CI has time for. */
const FUZZ_RUNS = Number(process.env.CLAVIGER_TEST_FUZZ_RUNS ?? 5_000);

const NAMES = [
  "Action",
  "Version",
  "RoleArn",
  "RoleSessionName",
  "WebIdentityToken",
  "DurationSeconds",
  "Policy",
];
const CANARY = "canary-that-nobody-may-see";

test("whatever the form is => a request, or an StsError that shows nothing of it", () => {
  const text = fc.oneof(
    fc.constantFrom(
      "AssumeRoleWithWebIdentity",
      "GetCallerIdentity",
      "2011-06-15",
      "900",
      CANARY,
      "a.e30.c",
      "%",
      "%f",
    ),
    fc.string({ unit: "binary", maxLength: 30 }),
  );
  const pair = fc
    .tuple(fc.oneof(fc.constantFrom(...NAMES, "__proto__"), text), text)
    .map((part) => part.join("="));
  const forms = fc.array(pair, { maxLength: 8 }).map((pairs) => pairs.join("&"));
  fc.assert(
    fc.property(forms, fc.boolean(), (form, isEncoded) => {
      const told = outcome(Buffer.from(isEncoded ? encodeURI(form.toWellFormed()) : form));
      expect(told).toMatch(/^(accepted|[A-Z][A-Za-z]+: [ -~]+)$/);
      expect(told).not.toContain("canary");
    }),
    { numRuns: FUZZ_RUNS },
  );
});

test("whatever a session token is => a message, or nothing", () => {
  const token = fc.oneof(
    fc.string({ unit: "binary" }),
    fc
      .uint8Array({ maxLength: 300 })
      .map((bytes) => Buffer.concat([Buffer.of(1, 1), bytes]).toString("base64")),
    fc.base64String({ maxLength: 9_000 }),
  );
  fc.assert(
    fc.property(token, (text) => {
      const message = parseSessionToken(text);
      expect(message === undefined || text.length >= 152).toBe(true);
    }),
    { numRuns: FUZZ_RUNS },
  );
});

function outcome(body: Uint8Array): string {
  try {
    const request = readStsRequest(parseForm(body));
    if (request.action === "AssumeRoleWithWebIdentity") tokenExpiry(request.token);
    return "accepted";
  } catch (error) {
    if (error instanceof StsError) return `${error.code}: ${error.message}`;
    throw error;
  }
}
