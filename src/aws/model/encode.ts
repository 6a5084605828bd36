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

function encodeStructure(shape: StructureShape, value: object, owner: string): object {
  const types = new Map(shape.members.map(({ name, shape: type }) => [name, type]));
  return Object.fromEntries(
    Object.entries(value)
      .filter(([, member]) => member !== undefined)
      .map(([name, member]) => {
        const type = types.get(name);
        if (type === undefined) throw new Error(`the answer of ${owner} has no member ${name}`);
        return [name, encodeValue(type, member, `${owner}.${name}`)];
      }),
  );
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
