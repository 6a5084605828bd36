import fc from "fast-check";
import { expect, test } from "vitest";
import { AwsError } from "../aws-error.ts";
import { operationModel, operationNames } from "./service-model.ts";
import { validate } from "./validate.ts";

/** `npm run fuzz` tries more than CI has time for. */
const FUZZ_RUNS = Number(process.env.CLAVIGER_TEST_FUZZ_RUNS ?? 5_000);

test("whatever the body is => an input, or an AwsError that shows nothing of it", () => {
  const canary = "canary-that-nobody-may-see";
  const names = [
    ...new Set(operationNames().flatMap((name) => operationModel(name)?.input.members ?? [])),
  ].map(({ name }) => name);
  const leaf = fc.oneof(
    fc.constantFrom(canary, `${canary}==`, "", null, true, 0, -1, 1e308, 4096, "AA==", "RSA_2048", "\ud800"),
    fc.string({ unit: "binary" }),
  );
  const value = fc.letrec((tie) => ({
    any: fc.oneof({ maxDepth: 3 }, leaf, fc.array(tie("any"), { maxLength: 4 }), tie("object")),
    object: fc.dictionary(fc.constantFrom(...names, "TagKey", "__proto__", canary), tie("any"), {
      maxKeys: 6,
    }),
  })).object;
  fc.assert(
    fc.property(
      fc.constantFrom(...operationNames()),
      value,
      fc.nat(),
      fc.nat(3),
      (operation, input, at, cut) => {
        const body = Buffer.from(JSON.stringify(input));
        // One body of four is damaged.
        if (cut === 0 && body.length > 0) body[at % body.length] = at % 256;
        const message = told(operation, body);
        expect(message).toMatch(/^(accepted|(Serialization|Validation)Exception: [ -~]+)$/);
        expect(message).not.toContain("canary");
      },
    ),
    { numRuns: FUZZ_RUNS },
  );
});

/** Returns the name and the text of the error, or "accepted". */
function told(operation: string, body: Uint8Array): string {
  try {
    validate(operation, body);
  } catch (error) {
    if (error instanceof AwsError) return `${error.type}: ${error.message}`;
    throw error;
  }
  return "accepted";
}
