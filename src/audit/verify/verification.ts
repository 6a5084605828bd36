import type { NoteVerifier } from "../notes/signed-note.ts";
import type { MalformedNote, SignedCheckpoint } from "./checkpoint-notes.ts";
import type { Finding } from "./finding.ts";

/** A log that is verified. */
export interface VerifyOptions {
  /** The file of the newest lines. */
  readonly path: string;
  /** A key of the log that is trusted. */
  readonly key?: NoteVerifier | undefined;
  /** Checkpoints that were kept elsewhere: notes, one after another. */
  readonly kept?: { readonly text: string; readonly file: string } | undefined;
  /** Epoch milliseconds. */
  readonly now: number;
  readonly onProgress?: ((step: "lines" | "tree", lines: number) => void) | undefined;
}

/** The result of a verification. */
export interface Verification {
  readonly origin: string | undefined;
  /** The number of lines of the log, those that are not there any more too. */
  readonly lines: number;
  /** The number of lines of the newest good checkpoint. */
  readonly signed: number;
  /** The number of checkpoints that have the root of the log. */
  readonly checkpoints: number;
  /** The keys of the log, the newest last, as text. */
  readonly keys: readonly string[];
  readonly findings: readonly Finding[];
  /** The number of findings that are not listed. */
  readonly moreFindings: number;
  readonly faults: number;
}

/** The checkpoints of a log and those that were kept elsewhere. */
export interface Checkpoints {
  readonly newest: SignedCheckpoint | undefined;
  readonly earlier: readonly SignedCheckpoint[];
  readonly elsewhere: readonly SignedCheckpoint[];
  readonly malformed: readonly MalformedNote[];
}
