import type { Structure, Value } from "./read-input.ts";
import { shapeOf } from "./service-model.ts";
import type { ListShape, Range, Shape, StringShape, StructureShape } from "./shape.ts";
import type { StricterLimits } from "./stricter-limits.ts";

/** A constraint of the service model that a value does not satisfy. */
export interface Violation {
  /** The member as AWS writes it, for example "tags.1.member.tagKey". */
  readonly path: string;
  /** "null" for a member that is missing, and the number if it is a number: nothing else is shown. */
  readonly value?: string;
  readonly constraint: string;
}

/** Returns all violations of a structure, in the order of the model. */
export function violationsOf(
  shape: StructureShape,
  value: Structure,
  limits?: StricterLimits,
  prefix = "",
): Violation[] {
  return shape.members.flatMap(({ name, shape: type, required }) => {
    const path = prefix + name.charAt(0).toLowerCase() + name.slice(1);
    const member = value[name];
    if (member !== undefined) return ofMember(limited(shapeOf(type), limits?.get(name)), member, path);
    return required ? [{ path, value: "null", constraint: "Member must not be null" }] : [];
  });
}

const limited = (shape: Shape, range: Range | undefined): Shape =>
  range === undefined ? shape : { ...shape, ...range };

function ofMember(shape: Shape, value: Value, path: string): Violation[] {
  if (shape.kind === "structure") return violationsOf(shape, value as Structure, undefined, `${path}.`);
  const own = constraintsOf(shape, value).map((constraint) => ({
    path,
    ...(typeof value === "number" && { value: String(value) }),
    constraint,
  }));
  return shape.kind === "list" ? [...own, ...ofEntries(shape, value as readonly Value[], path)] : own;
}

/** AWS names the place of a structure in a list. For other entries it names the list and all their constraints. */
function ofEntries({ member }: ListShape, entries: readonly Value[], path: string): Violation[] {
  const shape = shapeOf(member);
  if (shape.kind === "structure") {
    return entries.flatMap((entry, at) => ofMember(shape, entry, `${path}.${at + 1}.member`));
  }
  if (entries.every((entry) => constraintsOf(shape, entry).length === 0)) return [];
  return [{ path, constraint: `Member must satisfy constraint: [${allOf(shape).join(", ")}]` }];
}

/** Returns the constraints that a value does not satisfy. */
function constraintsOf(shape: Shape, value: Value): string[] {
  switch (shape.kind) {
    case "string":
      return ofString(shape, value as string);
    case "blob":
      return ofRange(shape, (value as Buffer).length, "length");
    case "list":
      return ofRange(shape, (value as readonly Value[]).length, "length");
    case "map":
      return ofRange(shape, Object.keys(value).length, "length");
    case "integer":
      return ofRange(shape, value as number, "value");
    default:
      return [];
  }
}

function ofString(shape: StringShape, value: string): string[] {
  const { max = Number.POSITIVE_INFINITY, pattern, values } = shape;
  // A text that is much too long is not matched: the time that a pattern takes is bounded by its length.
  const matches = value.length > 2 * max || (pattern?.expression.test(value) ?? true);
  return [
    ...ofRange(shape, lengthOf(value, shape), "length"),
    ...(matches ? [] : [patternText(shape)]),
    ...(values === undefined || values.has(value) ? [] : [enumText(shape)]),
  ];
}

/** Returns the number of code points, which AWS counts, or a number on the same side of the bounds. */
function lengthOf(value: string, { min = 0, max = Number.POSITIVE_INFINITY }: Range): number {
  const { length } = value;
  // A code point has one or two units.
  const isSure = (length >= 2 * min && length <= max) || length > 2 * max;
  return isSure ? length : [...value].length;
}

const ofRange = ({ min, max }: Range, size: number, what: "length" | "value"): string[] => [
  ...(max !== undefined && size > max ? [atMost(max, what)] : []),
  ...(min !== undefined && size < min ? [atLeast(min, what)] : []),
];

/** Returns all constraints of an entry of a list. */
function allOf(shape: Shape): string[] {
  const range: Range = "min" in shape || "max" in shape ? shape : {};
  const bounds = [
    ...(range.max === undefined ? [] : [atMost(range.max, "length")]),
    ...(range.min === undefined ? [] : [atLeast(range.min, "length")]),
  ];
  if (shape.kind !== "string") return bounds;
  return [
    ...bounds,
    ...(shape.pattern === undefined ? [] : [patternText(shape)]),
    ...(shape.values === undefined ? [] : [enumText(shape)]),
  ];
}

const atMost = (max: number, what: string): string => `Member must have ${what} less than or equal to ${max}`;
const atLeast = (min: number, what: string): string =>
  `Member must have ${what} greater than or equal to ${min}`;
const patternText = ({ pattern }: StringShape): string =>
  `Member must satisfy regular expression pattern: ${pattern?.text ?? ""}`;
const enumText = ({ values }: StringShape): string =>
  `Member must satisfy enum value set: [${[...(values ?? [])].join(", ")}]`;
