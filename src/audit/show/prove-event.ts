import { existsSync, readFileSync } from "node:fs";
import { ClavigerError } from "../../errors.ts";
import { fieldsOf, parsedJson } from "../../json.ts";
import { logPaths } from "../log/log-paths.ts";
import { checkpointOf } from "../notes/checkpoint.ts";
import { proofText } from "../notes/tlog-proof.ts";
import { leafHash } from "../tree/hashes.ts";
import { LeafFile } from "../tree/leaf-file.ts";
import { inclusionProof, isIncluded } from "../tree/proofs.ts";
import { fileLines } from "../verify/file-lines.ts";
import { openSegments } from "../verify/segments.ts";

/** The record of an event, and the proof that it is in the log. */
export interface ProvenEvent {
  /** The number of its line. */
  readonly index: number;
  readonly line: Buffer;
  /** C2SP tlog-proof. */
  readonly proof: string;
}

/**
 * Returns the record of an event with the proof for the newest checkpoint. Throws NotFound, NotReady if its line is not
 * yet signed, and InvalidArgument if the line or its hash was altered.
 */
export async function proveEvent(path: string, eventId: string): Promise<ProvenEvent> {
  const paths = logPaths(path);
  const note = existsSync(paths.checkpoint) ? readFileSync(paths.checkpoint, "utf8") : "";
  const checkpoint = checkpointOf(note);
  if (checkpoint === undefined) throw altered(`${paths.checkpoint} is no checkpoint`);
  const leaves = new LeafFile(paths.leaves);
  try {
    const { line, index } = await findEvent(path, eventId, leaves);
    const { size, root } = checkpoint;
    if (index >= size)
      throw new ClavigerError("NotReady", `event ${eventId} is not yet signed: try again in some seconds`);
    if (leaves.size < size)
      throw altered(`${paths.leaves} has the hashes of ${leaves.size} of ${size} lines`);
    const hashes = inclusionProof(leaves, index, size);
    if (!isIncluded({ index, size, leaf: leafHash(line), proof: hashes, root }))
      throw altered("the hashes of the lines do not have the root of the newest checkpoint");
    return { index, line, proof: proofText({ index, line, hashes }, note) };
  } finally {
    leaves.close();
  }
}

const altered = (what: string): ClavigerError =>
  new ClavigerError("InvalidArgument", `${what}: run claviger audit verify`);

interface FoundEvent {
  readonly line: Buffer;
  readonly index: number;
}

/** Looks in the newest file first. */
async function findEvent(path: string, eventId: string, leaves: LeafFile): Promise<FoundEvent> {
  const segments = await openSegments(path);
  try {
    const { closed, newest } = segments;
    for (const segment of [...closed, ...(newest === undefined ? [] : [newest])].reverse()) {
      let line = 0;
      for await (const lines of fileLines(segment))
        for (const each of lines) {
          if (each.kind === "line" && isEvent(each.bytes, eventId))
            return {
              line: Buffer.from(each.bytes),
              index: indexOf(each.bytes, (segment.first ?? 0) + line, leaves),
            };
          line += 1;
        }
    }
  } finally {
    segments.close();
  }
  throw new ClavigerError(
    "NotFound",
    `no file of the audit log ${path} has an event ${eventId}; files that were moved away are not searched`,
  );
}

const isEvent = (line: Buffer, eventId: string): boolean =>
  line.includes(eventId) && fieldsOf(parsedJson(line.toString("utf8"))).eventID === eventId;

/** Returns the number of a line: at its place, or at another if lines before it were removed or inserted. */
function indexOf(line: Buffer, expected: number, leaves: LeafFile): number {
  const hash = leafHash(line);
  if (expected >= leaves.size || leaves.at(expected)?.equals(hash) === true) return expected;
  let index = 0;
  for (const leaf of leaves.range(0, leaves.size)) {
    if (leaf.equals(hash)) return index;
    index += 1;
  }
  throw altered("the line of this event was altered");
}
