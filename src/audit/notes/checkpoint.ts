import { HASH_BYTES } from "../tree/hashes.ts";
import { type NoteSigner, parseNote, signNote } from "./signed-note.ts";

/** The state of a log: how many lines it has and the root of their tree (C2SP tlog-checkpoint). */
export interface Checkpoint {
  /** Names the log among all logs: `kms.claviger.dev/audit/CLUSTER/NODE`. */
  readonly origin: string;
  readonly size: number;
  readonly root: Buffer;
}

const SIZE = /^(?:0|[1-9]\d{0,15})$/;

/** Returns the name of a node's log. Both parts are DNS names. */
export const originOf = (cluster: string, node: string): string =>
  `kms.claviger.dev/audit/${cluster}/${node}`;

/** Returns the text that is signed. */
export const checkpointText = ({ origin, size, root }: Checkpoint): string =>
  `${origin}\n${size}\n${root.toString("base64")}\n`;

/** Returns a checkpoint as a signed note. */
export const signCheckpoint = (checkpoint: Checkpoint, ...signers: readonly NoteSigner[]): string =>
  signNote(checkpointText(checkpoint), ...signers);

/** Reads the text of a checkpoint's note. Returns undefined if it is malformed; lines after the root are allowed. */
export function parseCheckpoint(text: string): Checkpoint | undefined {
  const [origin = "", size = "", base64 = ""] = text.split("\n");
  const root = Buffer.from(base64, "base64");
  if (origin === "" || !SIZE.test(size) || !Number.isSafeInteger(Number(size))) return undefined;
  if (root.length !== HASH_BYTES || root.toString("base64") !== base64) return undefined;
  return { origin, size: Number(size), root };
}

/** Reads a checkpoint of a signed note. Returns undefined if either is malformed. Verifies nothing. */
export function checkpointOf(note: string): Checkpoint | undefined {
  const parsed = parseNote(note);
  return parsed && parseCheckpoint(parsed.text);
}
