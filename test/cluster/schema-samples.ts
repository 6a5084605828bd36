import type { JsonSchema } from "../../src/resources/schemas/schema.ts";

const SOME_TIME = "2026-01-02T03:04:05Z";
const UUID = "11111111-1111-4111-8111-111111111111";

/** A field that has a value of its own. */
export interface Leaf {
  readonly path: readonly string[];
  readonly schema: JsonSchema;
}

/** Returns the leaves of a schema; an item of a list is `[]`. */
export function leaves(schema: JsonSchema, path: readonly string[] = []): Leaf[] {
  if (["integer", "string", "boolean"].includes(schema.type)) return [{ path, schema }];
  if (schema.items) return leaves(schema.items, [...path, "[]"]);
  return Object.entries(schema.properties ?? {}).flatMap(([name, field]) => leaves(field, [...path, name]));
}

/** Returns the smallest object that fits a schema, with `value` at the end of `path`. */
export function sample(
  schema: JsonSchema,
  [step, ...rest]: readonly string[] = [],
  value?: unknown,
): unknown {
  if (step === "[]" && schema.items) return [sample(schema.items, rest, value)];
  if (schema.type === "object") {
    const names = new Set([...(schema.required ?? []), ...(step === undefined ? [] : [step])]);
    const fields = [...names].map((name) => {
      const field = schema.properties?.[name];
      if (field === undefined) throw new Error(`there is no field ${name}`);
      return [name, name === step ? sample(field, rest, value) : sample(field)];
    });
    return Object.fromEntries(fields);
  }
  if (value !== undefined) return value;
  if (schema.type === "array") return [];
  if (schema.type === "boolean") return false;
  if (schema.type === "integer") return schema.minimum;
  if (schema.enum) return schema.enum[0];
  if (schema.format === "date-time") return SOME_TIME;
  return new RegExp(schema.pattern ?? "").test(UUID) ? UUID : "x";
}
