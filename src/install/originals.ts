import { fieldsOf, parseJson } from "../json.ts";
import { PATHS } from "./paths.ts";
import { placeOf, type Site } from "./site.ts";
import { textOf, writeText } from "./text-file.ts";

/** A file as it was before claviger changed it: its text, or null if there was none. */
export type Originals = ReadonlyMap<string, string | null>;

/** Reads the files that were kept. */
export function readOriginals(site: Site): Originals {
  const text = textOf(placeOf(site, PATHS.originals));
  if (text === undefined) return new Map();
  const fields = fieldsOf(parseJson(text, PATHS.originals, "InvalidArgument"));
  return new Map(
    Object.entries(fields).flatMap(([path, kept]) =>
      kept === null || typeof kept === "string" ? [[path, kept] as const] : [],
    ),
  );
}

/** Keeps a file before its first change. A later change does not replace what was kept. */
export function keepOriginal(site: Site, path: string): void {
  const kept = readOriginals(site);
  if (kept.has(path)) return;
  const all = Object.fromEntries([...kept, [path, textOf(placeOf(site, path)) ?? null]]);
  writeText(placeOf(site, PATHS.originals), `${JSON.stringify(all, undefined, 1)}\n`, 0o600);
}
