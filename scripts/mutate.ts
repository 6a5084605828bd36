import { spawn } from "node:child_process";
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { MUTATIONS, type Mutation } from "./mutations.ts";

/**
 * Removes each guard of the decisions, one at a time, and plays histories of the cluster model on
 * the altered sources until one breaks a promise: `npm run mutate -- [RUNS] [SEED] [NAME…]`. Ends
 * with 1 if the model does not find a removal. The sources are altered in a copy.
 */
const [runs = "10000", seed = "1", ...names] = process.argv.slice(2);
const root = resolve(import.meta.dirname, "..");

interface Outcome {
  readonly played: number;
  readonly broken?: { readonly promise: string; readonly message: string };
}

const chosen = MUTATIONS.filter(({ name }) => names.length === 0 || names.includes(name));
const copy = mkdtempSync(join(tmpdir(), "claviger-mutate-"));
let missed = 0;
try {
  for (const folder of ["src", "scripts"])
    cpSync(join(root, folder), join(copy, folder), { recursive: true });
  cpSync(join(root, "package.json"), join(copy, "package.json"));
  symlinkSync(join(root, "node_modules"), join(copy, "node_modules"));
  process.stdout.write("| guard that is removed | found in history | by |\n| --- | ---: | --- |\n");
  for (const mutation of chosen) {
    const outcome = await tried(mutation);
    if (outcome.broken === undefined) missed += 1;
    process.stdout.write(`${rowOf(mutation, outcome)}\n`);
  }
  const sound = await played();
  if (sound.broken !== undefined) throw new Error(`with every guard: ${rowOf({ name: "none" }, sound)}`);
} finally {
  rmSync(copy, { recursive: true, force: true });
}
process.stdout.write(`\n${chosen.length - missed} of ${chosen.length} removals found\n`);
process.exitCode = missed === 0 ? 0 : 1;

/** Plays histories with one guard removed, and puts the guard back. */
async function tried({ file, edits, name }: Mutation): Promise<Outcome> {
  const originals = new Map<string, string>();
  try {
    for (const [from, to, other = file] of edits) {
      const path = join(copy, other);
      const text = readFileSync(path, "utf8");
      if (!originals.has(path)) originals.set(path, text);
      writeFileSync(path, edited(text, from, to, name));
    }
    return await played();
  } finally {
    for (const [path, text] of originals) writeFileSync(path, text);
  }
}

function edited(text: string, from: string, to: string, name: string): string {
  const parts = text.split(from);
  if (parts.length !== 2)
    throw new Error(`mutation "${name}": its text is there ${parts.length - 1} times, not once: ${from}`);
  return parts.join(to);
}

async function played(): Promise<Outcome> {
  const child = spawn(process.execPath, [join(copy, "scripts/model.ts"), runs, seed], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  let text = "";
  child.stdout.setEncoding("utf8").on("data", (part: string) => {
    text += part;
  });
  const code = await new Promise<number | null>((ended) => child.on("close", ended));
  // It writes its result last, and exits with 1 if a promise is broken.
  if (text === "") throw new Error(`the model ended with ${code} and no result`);
  return JSON.parse(text) as Outcome;
}

function rowOf({ name }: Pick<Mutation, "name">, { played, broken }: Outcome): string {
  if (broken === undefined) return `| ${name} | **not found** in ${played} | |`;
  return `| ${name} | ${played} | ${broken.promise}: ${broken.message.replaceAll(/\b[0-9a-f]{32}\b/g, "KEY_ID")} |`;
}
