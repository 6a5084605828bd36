import { unreadable } from "./read-json.ts";
import { shapeOf } from "./service-model.ts";
import type { StructureShape } from "./shape.ts";

/** A value of the service model: blobs are Buffers, timestamps Dates, lists arrays, structures and maps records. */
export type Value = string | number | boolean | Date | Buffer | readonly Value[] | Structure;

export interface Structure {
  readonly [member: string]: Value;
}

/** The range of the integers of the service model. */
const LEAST = -(2 ** 31);
const MOST = 2 ** 31 - 1;
/** The year 9999, in seconds since the epoch. */
const LAST_TIME = 253_402_300_799;

/**
 * Converts a JSON object into a structure of the service model. Members that the model does not have are
 * ignored, as AWS does, and so are members that are null. Throws SerializationException, with AWS's texts, for a
 * value of another type than the model's.
 */
export function readStructure(shape: StructureShape, json: object): Structure {
  const given = Object.entries(json).filter(([, value]) => value !== null);
  const values = new Map<string, unknown>(given);
  const read: Record<string, Value> = {};
  for (const { name, shape: type } of shape.members) {
    if (values.has(name)) read[name] = readValue(type, values.get(name));
  }
  return read;
}

function readValue(name: string, json: unknown): Value {
  const shape = shapeOf(name);
  switch (shape.kind) {
    case "string":
      return readText(json);
    case "blob":
      return readBlob(json);
    case "integer":
      return readInteger(json);
    case "boolean":
      if (typeof json !== "boolean") throw wrongType(json, "Boolean");
      return json;
    case "timestamp":
      return readTime(json);
    case "list":
      if (!Array.isArray(json)) throw wrongType(json, "List");
      return json.map((entry) => readValue(shape.member, entry));
    case "map":
      return readMap(json);
    case "structure":
      return readStructure(shape, objectOf(json));
  }
}

/** Returns a map from texts to texts. fromEntries creates the names of the prototype too, as any other. */
const readMap = (json: unknown): Structure =>
  Object.fromEntries(Object.entries(objectOf(json)).map(([key, value]) => [readText(key), readText(value)]));

/** Returns the text. A lone surrogate has no form in UTF-8, so two different texts would become the same bytes. */
function readText(json: unknown): string {
  if (typeof json !== "string") throw wrongType(json, "String");
  if (!json.isWellFormed()) throw unreadable("The body of the request has text that is not valid Unicode.");
  return json;
}

/** Reads base64 with its padding (RFC 4648, section 4). */
function readBlob(json: unknown): Buffer {
  if (typeof json !== "string") throw wrongType(json, "Blob");
  const bytes = Buffer.from(json, "base64");
  const padding = json.endsWith("==") ? 2 : json.endsWith("=") ? 1 : 0;
  // Node skips characters that are not base64's, and takes those of base64url. A regular expression takes longer.
  const isBase64 = bytes.length === (json.length / 4) * 3 - padding;
  if (!isBase64 || json.includes("-") || json.includes("_")) {
    throw unreadable("A blob of the request is not base64.");
  }
  return bytes;
}

function readInteger(json: unknown): number {
  if (typeof json !== "number") throw wrongType(json, "Integer");
  if (!Number.isInteger(json)) throw unreadable("DECIMAL_VALUE cannot be converted to Integer");
  if (json < LEAST || json > MOST) throw unreadable("NUMBER_VALUE is out of the range of Integer");
  return json;
}

function readTime(json: unknown): Date {
  if (typeof json !== "number") throw wrongType(json, "Timestamp");
  if (json < 0 || json > LAST_TIME) throw unreadable("NUMBER_VALUE is out of the range of Timestamp");
  return new Date(json * 1000);
}

function objectOf(json: unknown): object {
  if (typeof json !== "object" || json === null || Array.isArray(json)) throw wrongType(json, "Map");
  return json;
}

function wrongType(json: unknown, wanted: string): Error {
  if (Array.isArray(json)) return unreadable("Start of list found where not expected");
  if (typeof json === "object" && json !== null) {
    return unreadable("Start of structure or map found where not expected.");
  }
  return unreadable(`${tokenOf(json)} cannot be converted to ${wanted}`);
}

/** Returns the name that AWS has for a value of JSON. */
function tokenOf(json: unknown): string {
  switch (typeof json) {
    case "string":
      return "STRING_VALUE";
    case "number":
      return "NUMBER_VALUE";
    case "boolean":
      return json ? "TRUE_VALUE" : "FALSE_VALUE";
    default:
      return "NULL_VALUE";
  }
}
