import { parsedJson } from "../../json.ts";
import { AwsError } from "../aws-error.ts";

const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/**
 * Parses the body of a request: a JSON object in UTF-8. An empty body is an empty object. Throws
 * SerializationException, which has nothing of the body.
 */
export function readJson(body: Uint8Array): Readonly<Record<string, unknown>> {
  if (body.length === 0) return {};
  const value = parsedJson(textOf(body));
  if (value === undefined) throw unreadable("The body of the request is not JSON.");
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw unreadable("The body of the request is not a JSON object.");
  }
  return { ...value };
}

function textOf(body: Uint8Array): string {
  try {
    return decoder.decode(body);
  } catch {
    throw unreadable("The body of the request is not UTF-8.");
  }
}

/** Returns the error for input that has no meaning for the service model. */
export const unreadable = (message: string): AwsError => new AwsError("SerializationException", message);
