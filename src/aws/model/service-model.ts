import { OPERATIONS } from "./kms-operations.ts";
import { STRUCTURES } from "./kms-structures.ts";
import { VALUES } from "./kms-values.ts";
import { linesByName, parseStructure, parseValue } from "./parse-shapes.ts";
import type { Shape, StructureShape } from "./shape.ts";

/** An operation of AWS KMS as the service model has it. */
export interface OperationModel {
  readonly input: StructureShape;
  readonly output: StructureShape;
  /** The names of the errors that are this operation's own. */
  readonly errors: readonly string[];
}

const EMPTY: StructureShape = { kind: "structure", members: [] };

const shapes: ReadonlyMap<string, Shape> = new Map([
  ...[...linesByName(STRUCTURES)].map(([name, line]) => [name, parseStructure(line)] as const),
  ...[...linesByName(VALUES)].map(([name, line]) => [name, parseValue(line)] as const),
]);

const operations: ReadonlyMap<string, OperationModel> = new Map(
  [...linesByName(OPERATIONS)].map(([name, line]) => {
    const [input = "-", output = "-", ...errors] = line.split(" ");
    return [name, { input: structure(input), output: structure(output), errors }];
  }),
);

/** Returns an operation of AWS KMS, served or not; undefined if AWS has none of this name. */
export const operationModel = (name: string): OperationModel | undefined => operations.get(name);

/** The names of all operations of AWS KMS. */
export const operationNames = (): readonly string[] => [...operations.keys()];

/** Returns a shape that the service model refers to. */
export function shapeOf(name: string): Shape {
  const shape = shapes.get(name);
  if (shape === undefined) throw new Error(`the service model has no shape ${name}`);
  return shape;
}

/** Returns a structure; "-" stands for an empty one. */
function structure(name: string): StructureShape {
  const shape = name === "-" ? EMPTY : shapeOf(name);
  if (shape.kind !== "structure") throw new Error(`the service model's ${name} is no structure`);
  return shape;
}
