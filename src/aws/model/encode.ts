import { operationModel, shapeOf } from "./service-model.ts";
import type { StructureShape } from "./shape.ts";

/**
 * Returns the answer of an operation in JSON: Buffers in base64, Dates as seconds since the epoch. Members that
 * are undefined are left out. Throws if the answer has a member that AWS's service model does not have, which is a
 * defect of the operation.
 */
export function encode(operation: string, output: object): string {
  const model = operationModel(operation);
  if (model === undefined) throw new Error(`the service model has no operation ${operation}`);
  return JSON.stringify(encodeStructure(model.output, output, operation));
}

/** The types of the members of a structure, by name. */
const typesOf = new WeakMap<StructureShape, ReadonlyMap<string, string>>();

function memberTypes(shape: StructureShape): ReadonlyMap<string, string> {
  const known = typesOf.get(shape);
  if (known !== undefined) return known;
  const types = new Map(shape.members.map(({ name, shape: type }) => [name, type]));
  typesOf.set(shape, types);
  return types;
}

function encodeStructure(shape: StructureShape, value: object, owner: string): object {
  const types = memberTypes(shape);
  const encoded: Record<string, unknown> = {};
  for (const [name, member] of Object.entries(value)) {
    if (member === undefined) continue;
    const type = types.get(name);
    if (type === undefined) throw new Error(`the answer of ${owner} has no member ${name}`);
    encoded[name] = encodeValue(type, member, `${owner}.${name}`);
  }
  return encoded;
}

function encodeValue(name: string, value: unknown, owner: string): unknown {
  const shape = shapeOf(name);
  if (Buffer.isBuffer(value)) return value.toString("base64");
  if (value instanceof Uint8Array) return Buffer.from(value).toString("base64");
  if (value instanceof Date) return value.getTime() / 1000;
  if (shape.kind === "list" && Array.isArray(value)) {
    return value.map((entry) => encodeValue(shape.member, entry, owner));
  }
  if (shape.kind === "structure" && typeof value === "object" && value !== null) {
    return encodeStructure(shape, value, owner);
  }
  return value;
}
