import { AwsError } from "../aws-error.ts";
import { type Violation, violationsOf } from "./constraints.ts";
import { readStructure, type Structure } from "./read-input.ts";
import { readJson } from "./read-json.ts";
import { operationModel } from "./service-model.ts";
import { stricterLimits } from "./stricter-limits.ts";

/** A request may break a constraint in each of thousands of entries. More are counted, not listed. */
const MOST_LISTED = 20;

/**
 * Returns the input of an operation from the body of its request, as AWS's service model has it: blobs are
 * Buffers, timestamps Dates. Throws SerializationException, or ValidationException with AWS's text for every
 * constraint that is not satisfied; neither shows a value of the request, numbers excepted. Throws
 * UnknownOperationException for an operation that AWS does not have.
 */
export function validate(operation: string, body: Uint8Array): Structure {
  const model = operationModel(operation);
  if (model === undefined) throw new AwsError("UnknownOperationException", "The operation is not known.");
  const input = readStructure(model.input, readJson(body));
  const violations = violationsOf(model.input, input, stricterLimits(operation));
  if (violations.length > 0) throw new AwsError("ValidationException", textOf(violations));
  return input;
}

function textOf(violations: readonly Violation[]): string {
  const count = violations.length === 1 ? "1 validation error" : `${violations.length} validation errors`;
  const listed = violations.slice(0, MOST_LISTED).map(({ path, value, constraint }) => {
    const subject = value === undefined ? "Value" : value === "null" ? "Value null" : `Value '${value}'`;
    return `${subject} at '${path}' failed to satisfy constraint: ${constraint}`;
  });
  return `${count} detected: ${listed.join("; ")}`;
}
