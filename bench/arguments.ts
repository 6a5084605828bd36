import { parseArgs } from "node:util";

/** The parts of a run, in the order in which they run. */
export const PARTS = [
  "secrets",
  "start",
  "seeds",
  "memory",
  "flood",
  "reencrypt",
  "kms",
  "grants",
  "aws",
] as const;
export type PartName = (typeof PARTS)[number];

/** The parsed command line. */
export interface Arguments {
  readonly parts: readonly PartName[];
  readonly quick: boolean;
  /** The folder of another build of claviger, to be measured in the same run. */
  readonly beside?: string | undefined;
  readonly write: boolean;
}

export const USAGE = `usage: npm run bench -- [--only ${PARTS.join("|")}] [--beside FOLDER] [--quick] [--write]
  --only PART  run only this part; can be given several times
  --beside FOLDER
               measure another build of claviger in the same run (kms, start, seeds, memory, aws): a folder
               with bin, dist, package.json and node_modules
  --quick      small counts: shows that everything works, its figures mean little
  --write      write the figures of a whole run to docs/benchmarks.md`;

/** Parses the command line. Throws an Error that says what is wrong with it. */
export function parseArguments(args: readonly string[]): Arguments {
  const { values } = parseArgs({
    args: [...args],
    options: {
      only: { type: "string", multiple: true },
      beside: { type: "string" },
      quick: { type: "boolean", default: false },
      write: { type: "boolean", default: false },
    },
  });
  const { only, quick, write, beside } = values;
  const unknown = only?.find((name) => !PARTS.some((part) => part === name));
  if (unknown !== undefined) throw new Error(`--only ${unknown}: want ${PARTS.join(", ")}`);
  // The page describes all parts, and its readers take the figures for final.
  if (write && (quick || only !== undefined || beside !== undefined))
    throw new Error("--write needs a whole run: no --only, no --quick, no --beside");
  return { parts: PARTS.filter((part) => only === undefined || only.includes(part)), quick, write, beside };
}
