import { type Checkpoint, parseCheckpoint } from "../notes/checkpoint.ts";
import { type Note, parseNote } from "../notes/signed-note.ts";

/** A signed checkpoint, and the place from which it was read. */
export interface SignedCheckpoint extends Checkpoint {
  readonly note: Note;
  readonly file: string;
  /** The line in the file at which it begins, from 1 on. */
  readonly line: number;
}

/** A part of a file that is no checkpoint. */
export interface MalformedNote {
  readonly file: string;
  readonly line: number;
  /** True at the end of the file, if the file does not end with a newline: a crash leaves such a part. */
  readonly isTorn: boolean;
}

/** Reads checkpoints that stand one after another. Verifies nothing. */
export function checkpointNotes(
  text: string,
  file: string,
): { readonly checkpoints: readonly SignedCheckpoint[]; readonly malformed: readonly MalformedNote[] } {
  const checkpoints: SignedCheckpoint[] = [];
  const malformed: MalformedNote[] = [];
  for (const { start, part } of parts(text)) {
    const note = parseNote(part);
    const checkpoint = note && parseCheckpoint(note.text);
    if (note !== undefined && checkpoint !== undefined)
      checkpoints.push({ ...checkpoint, note, file, line: start });
    else malformed.push({ file, line: start, isTorn: !part.endsWith("\n") });
  }
  return { checkpoints, malformed };
}

/** Cuts a text before each line that follows a signature and is none. */
function parts(text: string): { readonly start: number; readonly part: string }[] {
  const found: { start: number; part: string }[] = [];
  let part: string[] = [];
  let start = 1;
  const lines = text.split("\n");
  for (const [at, line] of lines.entries()) {
    const isNew = part.at(-1)?.startsWith("— ") === true && !line.startsWith("— ");
    if (isNew && at < lines.length - 1) {
      found.push({ start, part: `${part.join("\n")}\n` });
      part = [];
      start = at + 1;
    }
    part.push(line);
  }
  const rest = part.join("\n");
  return rest === "" ? found : [...found, { start, part: rest }];
}
