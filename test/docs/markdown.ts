import { globSync, readFileSync } from "node:fs";
import { join } from "node:path";

export const ROOT = join(import.meta.dirname, "..", "..");

/** A fenced block of a document. */
export interface Block {
  readonly language: string;
  readonly text: string;
  /** The name in the comment `<!-- tested: NAME -->` before it. Tests run these blocks. */
  readonly tested?: string;
  /** The name in the comment `<!-- recorded: NAME -->` before it. Tests compare these outputs. */
  readonly recorded?: string;
}

/** Returns the paths of the project's own documents. */
export function documents(): string[] {
  const patterns = ["*.md", ".github/**/*.md", "docs/**/*.md", "deploy/*.md", "charts/claviger/*.md"];
  return globSync(patterns, { cwd: ROOT }).sort();
}

/** Returns the paths of the pages about operations, without their index. */
export const operationsPages = (): string[] => globSync("docs/operations/*.md", { cwd: ROOT }).sort();

export const read = (path: string): string => readFileSync(join(ROOT, path), "utf8");

/** Returns the fenced blocks of a text, in order. */
export function blocks(text: string): Block[] {
  const fence = /(?:^<!-- (tested|recorded): (.+?) -->\n)?^```(\w*)\n(.*?)^```$/gms;
  return [...text.matchAll(fence)].map(([, mark, name, language = "", body = ""]) => ({
    language,
    text: body,
    ...(mark === "tested" && { tested: name }),
    ...(mark === "recorded" && { recorded: name }),
  }));
}

/** Returns the blocks of a document that are marked with a name. Throws if there are none. */
export function testedBlocks(path: string, name: string): Block[] {
  const found = blocks(read(path)).filter(({ tested }) => tested === name);
  if (found.length === 0) throw new Error(`${path} has no block that is marked <!-- tested: ${name} -->`);
  return found;
}

/** Returns the only block of a document that is marked with a name. */
export function testedBlock(path: string, name: string): string {
  const [block, ...more] = testedBlocks(path, name);
  if (block === undefined || more.length > 0) throw new Error(`${path} has several blocks marked ${name}`);
  return block.text;
}

/** Returns the only output of a document that is marked as recorded under a name. */
export function recordedBlock(path: string, name: string): string {
  const found = blocks(read(path)).filter(({ recorded }) => recorded === name);
  const [block, ...more] = found;
  if (block === undefined || more.length > 0)
    throw new Error(`${path} has ${found.length} blocks marked <!-- recorded: ${name} -->, not one`);
  return block.text;
}

/** Returns the only block of all pages about operations that is marked with a name. */
export function operationsBlock(name: string): string {
  const found = operationsPages().flatMap((path) =>
    blocks(read(path)).filter(({ tested }) => tested === name),
  );
  const [block, ...more] = found;
  if (block === undefined || more.length > 0)
    throw new Error(`docs/operations has ${found.length} blocks marked ${name}, not one`);
  return block.text;
}

/** Returns a text without its fenced blocks. */
export const prose = (text: string): string => text.replaceAll(/^```\w*\n.*?^```$/gms, "");

/** Returns the anchor that GitHub generates for a heading. */
export const anchor = (title: string): string =>
  title
    .toLowerCase()
    .replaceAll(/[^\w\- ]/g, "")
    .replaceAll(" ", "-");

/** Returns the `code` spans in a text's prose. */
export const codeSpans = (text: string): string[] =>
  [...prose(text).matchAll(/`([^`\n]+)`/g)].map(([, span = ""]) => span);
