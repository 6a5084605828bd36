import { parseTime } from "../times.ts";
import type { Fields, JsonSchema } from "./schemas/schema.ts";

/**
 * Treats objects from a folder as the API server would: fills in defaults, checks the structural schema, and
 * runs the rules, those about changes against the former object.
 */
export interface Validation {
  /** The value with its defaults. */
  readonly value: unknown;
  /** Sentences that begin with the field's path; empty if all is well. */
  readonly problems: readonly string[];
}

/**
 * Checks `value` against `schema`; `path` names it in messages. Rules run only on a value that fits the
 * schema.
 */
export function validate(schema: JsonSchema, value: unknown, old: unknown, path: string): Validation {
  const completed = withDefaults(schema, value);
  const misfits = structure(schema, completed, path);
  return { value: completed, problems: misfits.length > 0 ? misfits : rules(schema, completed, old, path) };
}

function withDefaults(schema: JsonSchema, given: unknown): unknown {
  const value = given === undefined || given === null ? structuredClone(schema.default) : given;
  if (!isObject(value) || schema.properties === undefined) return value;
  const completed: Record<string, unknown> = { ...value };
  for (const [name, field] of Object.entries(schema.properties)) {
    const filled = withDefaults(field, value[name]);
    if (filled !== undefined) completed[name] = filled;
    else delete completed[name];
  }
  return completed;
}

function structure(schema: JsonSchema, value: unknown, path: string): string[] {
  if (!hasType(schema, value)) return [`${path} must be of type ${schema.type}`];
  if (typeof value === "string") return text(schema, value, path);
  if (typeof value === "number") return numeric(schema, value, path);
  if (Array.isArray(value)) return list(schema, value, path);
  return isObject(value) ? fields(schema, value, path) : [];
}

function hasType({ type }: JsonSchema, value: unknown): boolean {
  switch (type) {
    case "integer":
      return Number.isSafeInteger(value);
    case "array":
      return Array.isArray(value);
    case "object":
      return isObject(value);
    case "string":
    case "boolean":
      return typeof value === type;
  }
}

function text(schema: JsonSchema, value: string, path: string): string[] {
  const problems: string[] = [];
  if (schema.enum && !schema.enum.includes(value)) {
    problems.push(`${path} must be one of ${schema.enum.join(", ")}`);
  }
  const length = [...value].length;
  if (schema.maxLength !== undefined && length > schema.maxLength) {
    problems.push(`${path} must have at most ${schema.maxLength} characters`);
  }
  if (schema.minLength !== undefined && length < schema.minLength) {
    problems.push(`${path} must have at least ${schema.minLength} characters`);
  }
  if (schema.format === "date-time" && parseTime(value) === undefined) {
    problems.push(`${path} must be a time such as 2026-01-02T03:04:05Z`);
  }
  // A time's pattern says the same as its format, but less clearly.
  if (
    schema.pattern !== undefined &&
    schema.format !== "date-time" &&
    !new RegExp(schema.pattern).test(value)
  ) {
    problems.push(`${path} must match ${schema.pattern}`);
  }
  return problems;
}

function list({ items, maxItems }: JsonSchema, value: readonly unknown[], path: string): string[] {
  if (maxItems !== undefined && value.length > maxItems)
    return [`${path} must have at most ${maxItems} items`];
  return items ? value.flatMap((item, index) => structure(items, item, `${path}[${index}]`)) : [];
}

function numeric(schema: JsonSchema, value: number, path: string): string[] {
  const { minimum, maximum } = schema;
  if (minimum !== undefined && value < minimum) return [`${path} must be at least ${minimum}`];
  if (maximum !== undefined && value > maximum) return [`${path} must be at most ${maximum}`];
  return [];
}

function fields(schema: JsonSchema, value: Fields, path: string): string[] {
  const { properties = {}, additionalProperties, maxProperties, required = [] } = schema;
  const entries = Object.entries(value);
  const problems = required.filter((name) => !(name in value)).map((name) => `${path}.${name} is required`);
  if (maxProperties !== undefined && entries.length > maxProperties) {
    problems.push(`${path} must have at most ${maxProperties} entries`);
  }
  if (schema.preserved) return problems;
  for (const [name, item] of entries) {
    const field = Object.hasOwn(properties, name) ? properties[name] : additionalProperties;
    if (field === undefined) problems.push(`${path}.${name} is not a field that claviger knows`);
    else problems.push(...structure(field, item, `${path}.${name}`));
  }
  return problems;
}

function rules(schema: JsonSchema, value: unknown, old: unknown, path: string): string[] {
  if (!isObject(value)) return [];
  const before = isObject(old) ? old : undefined;
  const broken = (schema.rules ?? [])
    .filter((rule) => !rule.holds(value, before))
    .map((rule) => `${path}: ${rule.message}`);
  const inner = Object.entries(schema.properties ?? {}).flatMap(([name, field]) =>
    rules(field, value[name], before?.[name], `${path}.${name}`),
  );
  return [...broken, ...inner];
}

const isObject = (value: unknown): value is Fields =>
  typeof value === "object" && value !== null && !Array.isArray(value);
