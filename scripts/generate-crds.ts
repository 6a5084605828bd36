/** Writes crds/*.yaml from src/resources/schemas/. A test fails if they differ. */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { stringify } from "yaml";
import { customResourceDefinition } from "../src/resources/crd.ts";
import { resources } from "../src/resources/definitions.ts";
import { GROUP, type Kind } from "../src/resources/resources.ts";

const HEADER = "# Generated from src/resources/schemas/ by `npm run generate`. Do not edit.\n";

/** Returns the CRD files by name. */
export function crdFiles(): ReadonlyMap<string, string> {
  const kinds = Object.keys(resources) as Kind[];
  return new Map(
    kinds.map((kind) => [
      `${GROUP}_${resources[kind].plural}.yaml`,
      HEADER + stringify(customResourceDefinition(kind), { lineWidth: 0, aliasDuplicateObjects: false }),
    ]),
  );
}

if (import.meta.main) {
  const folder = join(import.meta.dirname, "..", "crds");
  mkdirSync(folder, { recursive: true });
  for (const [name, text] of crdFiles()) writeFileSync(join(folder, name), text);
}
