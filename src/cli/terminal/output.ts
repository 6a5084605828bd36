import { stringify } from "yaml";
import { printableJson } from "../../printable.ts";
import type { Format } from "./formats.ts";

/** Renders a value for programs. Unsafe characters are escaped, and each parser restores them. */
export function render(value: object, format: Format): string {
  if (format === "json") return `${printableJson(value, 2)}\n`;
  // Goes through JSON first: it leaves out undefined fields, and nothing is shared that YAML would make an
  // alias. Texts in double quotes may have every escape of JSON.
  return stringify(JSON.parse(JSON.stringify(value)), {
    defaultStringType: "QUOTE_DOUBLE",
    defaultKeyType: "PLAIN",
    lineWidth: 0,
  });
}
