import { MAX_VERSION_NUMBER } from "../../keyring/version-number.ts";

/**
 * One definition of a resource's fields yields three things that stay consistent: the TypeScript type
 * (Infer), the CRD's structural schema (crd.ts), and the checks of standalone mode (validate.ts).
 */
export interface JsonSchema {
  readonly type: "string" | "integer" | "boolean" | "array" | "object";
  readonly description: string;
  readonly default?: unknown;
  readonly enum?: readonly string[];
  readonly pattern?: string;
  readonly format?: "date-time" | "byte";
  readonly minLength?: number;
  readonly maxLength?: number;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly maxItems?: number;
  readonly items?: JsonSchema;
  readonly maxProperties?: number;
  readonly additionalProperties?: JsonSchema;
  /** True if the API server keeps fields that the schema does not name, as they are. */
  readonly preserved?: true;
  readonly properties?: Readonly<Record<string, JsonSchema>>;
  readonly required?: readonly string[];
  readonly listType?: "atomic" | "map" | "set";
  readonly listMapKeys?: readonly string[];
  readonly rules?: readonly Rule[];
}

/** A rule in CEL, which the API server runs, and its equivalent, which standalone mode runs. */
export interface Rule {
  readonly cel: string;
  readonly message: string;
  /** `old` is present only on an update; a rule about changes must pass without it. */
  readonly holds: (self: Fields, old: Fields | undefined) => boolean;
}

export type Fields = Readonly<Record<string, unknown>>;

/** A schema and, in the type only, the type that it describes. */
export interface Schema<T, Optional extends boolean = false> {
  readonly json: JsonSchema;
  readonly optional: Optional;
  readonly __type?: T;
}

export type Infer<S> = S extends Schema<infer T, boolean> ? T : never;

type Properties = Readonly<Record<string, Schema<unknown, boolean>>>;
type OptionalKeys<P extends Properties> = {
  [K in keyof P]: P[K] extends Schema<unknown, true> ? K : never;
}[keyof P];
type ObjectOf<P extends Properties> = {
  readonly [K in Exclude<keyof P, OptionalKeys<P>>]: Infer<P[K]>;
} & { readonly [K in OptionalKeys<P>]?: Infer<P[K]> };

type Options<K extends keyof JsonSchema> = { readonly [P in K]?: NonNullable<JsonSchema[P]> };

/** The bounds that a builder requires, so that no schema can be written without them. */
type Bounds<K extends keyof JsonSchema> = { readonly [P in K]-?: NonNullable<JsonSchema[P]> };

export function string(
  description: string,
  options: Bounds<"maxLength"> & Options<"default" | "pattern" | "format" | "minLength">,
): Schema<string> {
  return required({ type: "string", description, ...options });
}

export function oneOf<const T extends string>(
  description: string,
  values: readonly T[],
  options: Options<"default"> = {},
): Schema<T> {
  return required({ type: "string", description, enum: values, ...options });
}

export function integer(
  description: string,
  options: Bounds<"minimum" | "maximum"> & Options<"default">,
): Schema<number> {
  return required({ type: "integer", description, ...options });
}

export function boolean(description: string, options: Options<"default"> = {}): Schema<boolean> {
  return required({ type: "boolean", description, ...options });
}

/** The maximum of a count: larger integers lose digits in JSON readers, this one included. */
const MOST = Number.MAX_SAFE_INTEGER;

/** A number of things, or a generation of Kubernetes. */
export function count(description: string): Schema<number> {
  return integer(description, { minimum: 0, maximum: MOST });
}

/** The number of a KeyVersion. */
export function versionNumber(description: string): Schema<number> {
  return integer(description, { minimum: 1, maximum: MAX_VERSION_NUMBER });
}

/**
 * RFC 3339, as Kubernetes writes times. The pattern refuses what the API server's own check of the format
 * accepts: any character before a fraction, any text after a second T.
 */
const TIME =
  "^[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt][0-9]{2}:[0-9]{2}:[0-9]{2}([.][0-9]{1,9})?([Zz]|[+-]([01][0-9]|2[0-3]):[0-5][0-9])$";

export function time(description: string): Schema<string> {
  return string(description, { format: "date-time", pattern: TIME, maxLength: 35 });
}

export function array<T>(
  description: string,
  items: Schema<T>,
  options: Bounds<"maxItems" | "listType"> & Options<"listMapKeys">,
): Schema<readonly T[]> {
  return required({ type: "array", description, items: items.json, ...options });
}

export function map<T>(
  description: string,
  values: Schema<T>,
  options: Bounds<"maxProperties"> & Options<"default" | "rules">,
): Schema<Readonly<Record<string, T>>> {
  return required({ type: "object", description, additionalProperties: values.json, ...options });
}

/** A document of another format: its fields are neither checked nor pruned. */
export function document(
  description: string,
  options: Bounds<"maxProperties">,
): Schema<Readonly<Record<string, unknown>>> {
  return required({ type: "object", description, preserved: true, ...options });
}

export function object<const P extends Properties>(
  description: string,
  properties: P,
  options: Options<"default" | "rules"> = {},
): Schema<ObjectOf<P>> {
  const entries = Object.entries(properties);
  // A field with a default need not be given, and always exists once stored.
  const needed = entries.filter(([, field]) => !field.optional && field.json.default === undefined);
  return required({
    type: "object",
    description,
    properties: Object.fromEntries(entries.map(([name, field]) => [name, field.json])),
    ...(needed.length > 0 && { required: needed.map(([name]) => name) }),
    ...options,
  });
}

/** A field that may be absent. */
export function optional<T>(schema: Schema<T>): Schema<T, true> {
  return { json: schema.json, optional: true };
}

function required<T>(json: JsonSchema): Schema<T> {
  return { json, optional: false };
}
