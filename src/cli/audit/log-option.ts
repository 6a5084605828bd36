import { resolve } from "node:path";
import { type NoteVerifier, parseVerifier } from "../../audit/notes/signed-note.ts";
import { readConfig } from "../../config/config.ts";
import { ClavigerError } from "../../errors.ts";
import { configPathOf, UsageError } from "../command.ts";

/** The options that name a log. */
export const LOG_OPTIONS = { config: { type: "string" }, log: { type: "string" } } as const;

/** Returns the file of the log's newest lines. Throws UsageError or ConfigInvalid. */
export function logPathOf({ config, log }: { readonly config?: string; readonly log?: string }): string {
  if (log !== undefined) {
    if (!log.endsWith(".jsonl")) throw new UsageError("--log takes the file of the newest lines, *.jsonl");
    return resolve(log);
  }
  const path = configPathOf(config);
  const { audit } = readConfig(path);
  if (audit !== undefined) return audit.path;
  throw new ClavigerError("ConfigInvalid", `${path} has no audit.path: name the log with --log FILE`);
}

/** Returns a signing key. Throws UsageError if the text is none. */
export function signingKeyOf(text: string | undefined): NoteVerifier | undefined {
  const key = text === undefined ? undefined : parseVerifier(text);
  if (text === undefined || key !== undefined) return key;
  throw new UsageError("--key takes a signing key as claviger audit verify prints it: NAME+HASH+KEY");
}
