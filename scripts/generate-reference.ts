/**
 * Writes docs/reference.md from the schemas of the custom resources and from the configuration's own checks.
 * A test fails if they differ.
 */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { resources } from "../src/resources/definitions.ts";
import { GROUP, type Kind, VERSION } from "../src/resources/resources.ts";
import type { JsonSchema } from "../src/resources/schemas/schema.ts";
import { CONFIG_FIELDS, withoutField } from "./config-fields.ts";

export const REFERENCE = join(import.meta.dirname, "..", "docs", "reference.md");

const WRITERS: Readonly<Record<Kind, string>> = {
  MasterKey: "you; claviger its status",
  KeyVersion: "claviger only",
  KeyAlias: "you; claviger its status",
  KeyGrant: "you; claviger its status",
  KeyServer: "each node's operator",
};

const kinds = Object.keys(resources) as Kind[];

/** Returns the text of docs/reference.md. */
export function reference(): string {
  return [
    "# Reference",
    "<!-- Generated from src/resources/schemas and src/config by `npm run generate`. Do not edit. -->",
    `Every field of the [custom resources](#resources) and of the [configuration](#configuration) of a
node. The commands are in [commands.md](commands.md), every reason of every condition in
[conditions.md](operations/conditions.md).`,
    "## Resources",
    `Group \`${GROUP}\`, version \`${VERSION}\`, category \`claviger\` (\`kubectl get claviger -A\`). An empty
spec is a valid MasterKey. "Needed" is said of a field within its parent.`,
    table(
      ["kind", "short", "scope", "who writes it", "what it is"],
      kinds.map((kind) => kindRow(kind)),
    ),
    ...kinds.flatMap((kind) => [
      `### ${kind}`,
      table(["field", "type", "default", ""], fieldRows(kind).map(escaped)),
    ]),
    "## Configuration",
    `One YAML document, \`/etc/claviger/claviger.yaml\`. Relative paths start at the file's folder. An
unknown field is an error.`,
    table(
      ["field", "", "without it"],
      CONFIG_FIELDS.map((field) => [`\`${field.name}\``, field.text, withoutField(field)]),
    ),
    `The plugin reloads a changed list of \`providers\` by itself, or at SIGHUP. All other changes, and the
operator, need a restart. SIGHUP does not end any of the processes; SIGTERM does.`,
  ]
    .join("\n\n")
    .concat("\n");
}

function kindRow(kind: Kind): string[] {
  const { shortName, namespaced, description } = resources[kind];
  return [kind, `\`${shortName}\``, namespaced ? "namespaced" : "cluster", WRITERS[kind], description];
}

function fieldRows(kind: Kind): string[][] {
  const { spec, status } = resources[kind];
  return [...(spec ? rowsOf("spec", spec.json) : []), ...rowsOf("status", status.json)];
}

/** Returns the rows of an object's fields, and of the fields within them. */
function rowsOf(path: string, { properties = {}, required = [] }: JsonSchema): string[][] {
  return Object.entries(properties).flatMap(([name, schema]) => {
    const field = `${path}.${name}`;
    const row = [
      `\`${field}\``,
      typeOf(schema),
      fallbackOf(schema, required.includes(name)),
      schema.description,
    ];
    if (name === "conditions") return [row];
    const inner = schema.items ?? schema.additionalProperties ?? schema;
    return [row, ...rowsOf(schema.items === undefined ? field : `${field}[]`, inner)];
  });
}

function typeOf(schema: JsonSchema): string {
  const { type, format, items, additionalProperties, minimum, maximum } = schema;
  if (schema.enum !== undefined) return schema.enum.map((value) => `\`${value}\``).join(", ");
  if (type === "integer") return range(minimum, maximum);
  if (type === "array") return `list, at most ${schema.maxItems}${items?.type === "string" ? " texts" : ""}`;
  if (additionalProperties !== undefined) return `map, at most ${schema.maxProperties}`;
  if (type === "string") return format === "date-time" ? "time" : `text, at most ${schema.maxLength}`;
  return type;
}

const range = (minimum: number | undefined, maximum: number | undefined): string =>
  maximum === Number.MAX_SAFE_INTEGER ? "integer" : `integer, ${minimum} to ${maximum}`;

function fallbackOf({ default: fallback }: JsonSchema, needed: boolean): string {
  if (fallback !== undefined) return `\`${JSON.stringify(fallback)}\``;
  return needed ? "needed" : "";
}

/** A bar would end the cell of a table. */
const escaped = (cells: readonly string[]): string[] => cells.map((cell) => cell.replaceAll("|", "\\|"));

const table = (head: readonly string[], rows: readonly (readonly string[])[]): string =>
  [head, head.map(() => "---"), ...rows].map((cells) => `| ${cells.join(" | ")} |`).join("\n");

if (import.meta.main) writeFileSync(REFERENCE, reference());
