import { HASH_BYTES, leafHash } from "../tree/hashes.ts";
import { isIncluded } from "../tree/proofs.ts";
import { parseCheckpoint } from "./checkpoint.ts";
import { isSignedBy, type Note, type NoteVerifier, parseNote } from "./signed-note.ts";

/** A line of a log with the proof that it is there (C2SP tlog-proof, with the line as its extra data). */
export interface TlogProof {
  readonly index: number;
  readonly line: Buffer;
  readonly hashes: readonly Buffer[];
  /** The signed checkpoint. */
  readonly checkpoint: Note;
}

const HEADER = "c2sp.org/tlog-proof@v1";
/** A line in base64, 63 hashes and a checkpoint take less. */
export const MOST_PROOF_BYTES = 512 * 1024;
const MOST_HASHES = 63;

/** Returns a proof as text. `checkpoint` is the text of the signed note. */
export const proofText = (
  { index, line, hashes }: Omit<TlogProof, "checkpoint">,
  checkpoint: string,
): string =>
  `${HEADER}\nextra ${line.toString("base64")}\nindex ${index}\n${hashes
    .map((hash) => `${hash.toString("base64")}\n`)
    .join("")}\n${checkpoint}`;

/** Reads a proof. Returns undefined if it is malformed. Verifies nothing. */
export function parseProof(text: string): TlogProof | undefined {
  const end = text.indexOf("\n\n");
  if (text.length > MOST_PROOF_BYTES || end < 0) return undefined;
  const [header, extra = "", at = "", ...rest] = text.slice(0, end).split("\n");
  const [, index] = /^index (0|[1-9]\d{0,15})$/.exec(at) ?? [];
  const line = base64Of(extra.startsWith("extra ") ? extra.slice("extra ".length) : "");
  const hashes = rest.map(base64Of).filter((hash) => hash?.length === HASH_BYTES);
  const checkpoint = parseNote(text.slice(end + 2));
  if (header !== HEADER || index === undefined || line === undefined || checkpoint === undefined)
    return undefined;
  if (hashes.length !== rest.length || hashes.length > MOST_HASHES) return undefined;
  return { index: Number(index), line, hashes: hashes.flatMap((hash) => hash ?? []), checkpoint };
}

function base64Of(text: string): Buffer | undefined {
  const bytes = Buffer.from(text, "base64");
  return text !== "" && bytes.toString("base64") === text ? bytes : undefined;
}

/** Returns why a proof does not show that its line is in the log with this key; undefined if it does. */
export function proofFault(proof: TlogProof, key: NoteVerifier): string | undefined {
  const checkpoint = parseCheckpoint(proof.checkpoint.text);
  if (checkpoint === undefined) return "its checkpoint is malformed";
  if (checkpoint.origin !== key.name)
    return `its checkpoint is of the log ${checkpoint.origin}, and the key is of ${key.name}`;
  if (!isSignedBy(proof.checkpoint, key)) return "its checkpoint is not signed by this key";
  const { index, line, hashes } = proof;
  const { size, root } = checkpoint;
  return isIncluded({ index, size, leaf: leafHash(line), proof: hashes, root })
    ? undefined
    : "its line, number or hashes were altered: they do not lead to the checkpoint's root";
}
