import type { Element, Elements } from "../../audit/record/audit-record.ts";
import { fieldsOf } from "../../json.ts";
import { operationModel, shapeOf } from "../model/service-model.ts";
import type { StructureShape } from "../model/shape.ts";
import { SYMMETRIC } from "../operations/algorithms.ts";
import { NEVER_RECORDED, recordedMembers } from "./recorded-members.ts";

/** The members that CloudTrail shows even if a request leaves them to their default. */
const DEFAULTS: Readonly<Record<string, readonly string[]>> = {
  Decrypt: ["EncryptionAlgorithm"],
  Encrypt: ["EncryptionAlgorithm"],
  ReEncrypt: ["SourceEncryptionAlgorithm", "DestinationEncryptionAlgorithm"],
};

/** Returns the members of a request that a record shows, by CloudTrail's names. The service model has accepted it. */
export function requestElements(operation: string, input: object): Elements | undefined {
  const model = operationModel(operation);
  const members = recordedMembers(operation);
  if (model === undefined || members === undefined) return undefined;
  const defaults = (DEFAULTS[operation] ?? []).map((member) => [member, SYMMETRIC] as const);
  return shown(model.input, { ...Object.fromEntries(defaults), ...defined(input) }, members.input);
}

/** Returns the members of an answer that a record shows; undefined if the operation changes nothing. */
export function answerElements(
  operation: string,
  output: object,
  arn: string | undefined,
): Elements | undefined {
  const model = operationModel(operation);
  const members = recordedMembers(operation);
  if (model === undefined || members === undefined || !members.changes) return undefined;
  const elements = shown(model.output, output, members.output);
  // CloudTrail names the key even if the API answers nothing.
  return arn === undefined ? elements : { ...elements, keyId: arn };
}

const defined = (value: object): Readonly<Record<string, unknown>> =>
  Object.fromEntries(Object.entries(value).filter(([, member]) => member !== undefined));

function shown(shape: StructureShape, value: object, names: readonly string[]): Elements {
  const fields = fieldsOf(value);
  const kept = shape.members.flatMap(({ name, shape: type }): [string, Element][] => {
    const element = names.includes(name) ? elementOf(type, fields[name]) : undefined;
    return element === undefined ? [] : [[camelCase(name), element]];
  });
  return Object.fromEntries(kept);
}

/** Returns a value of a shape. A blob is never shown, whatever its name is. */
function elementOf(type: string, value: unknown): Element | undefined {
  if (value === undefined) return undefined;
  const shape = shapeOf(type);
  if (value instanceof Date) return value.toISOString();
  if (typeof value === "string" || typeof value === "number" || typeof value === "boolean") return value;
  if (shape.kind === "list" && Array.isArray(value))
    return value.flatMap((entry: unknown) => elementOf(shape.member, entry) ?? []);
  if (shape.kind === "map") return textsOf(value);
  if (shape.kind !== "structure" || typeof value !== "object" || value === null) return undefined;
  const names = shape.members.map(({ name }) => name).filter((name) => !NEVER_RECORDED.has(name));
  return shown(shape, value, names);
}

/** The maps of KMS are all of texts. */
const textsOf = (value: unknown): Elements =>
  Object.fromEntries(
    Object.entries(fieldsOf(value)).filter(
      (entry): entry is [string, string] => typeof entry[1] === "string",
    ),
  );

/** CloudTrail's form of a name: KeyId is keyId, AWSAccountId is aWSAccountId. */
const camelCase = (name: string): string => `${name.slice(0, 1).toLowerCase()}${name.slice(1)}`;
