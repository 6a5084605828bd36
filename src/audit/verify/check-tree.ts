import type { Checkpoint } from "../notes/checkpoint.ts";
import type { Leaves } from "../tree/proofs.ts";
import { RightEdge } from "../tree/right-edge.ts";

/** What a checkpoint says of the tree. */
export type TreeVerdict =
  /** It has the root of the leaf hashes. */
  | "good"
  /** It has the root of the lines; the leaf hashes since the last good checkpoint are not those of their lines. */
  | "lines"
  /** It has neither root. */
  | "bad"
  /** It has more lines than the log. */
  | "short";

export interface TreeCheck {
  readonly leaves: Leaves;
  /** The hashes of lines that differ from their leaf hashes, by number. */
  readonly lines: ReadonlyMap<number, Buffer>;
  readonly onProgress?: ((lines: number) => void) | undefined;
}

const PROGRESS_LINES = 65_536;

/**
 * Compares a tree with checkpoints, from the smallest size to the largest, in one pass over the leaf hashes. If the
 * hashes since the last good checkpoint do not have its root, the hashes of their lines are tried.
 */
export function checkTree<T extends Checkpoint>(
  checkpoints: readonly T[],
  { leaves, lines, onProgress }: TreeCheck,
): ReadonlyMap<T, TreeVerdict> {
  const verdicts = new Map<T, TreeVerdict>();
  let stored = new RightEdge();
  let read = new RightEdge();
  let differ = false;
  for (const checkpoint of checkpoints.toSorted((a, b) => a.size - b.size)) {
    if (checkpoint.size > leaves.size) {
      verdicts.set(checkpoint, "short");
      continue;
    }
    for (const leaf of leaves.range(stored.size, checkpoint.size)) {
      const own = lines.get(stored.size);
      if (own !== undefined && !differ) {
        differ = true;
        // Nothing differed so far: both trees are the same up to here.
        read = stored.copy();
      }
      stored.append(leaf);
      if (differ) read.append(own ?? leaf);
      if (stored.size % PROGRESS_LINES === 0) onProgress?.(stored.size);
    }
    const root = stored.root();
    if (checkpoint.root.equals(root)) verdicts.set(checkpoint, "good");
    else if (differ && checkpoint.root.equals(read.root())) verdicts.set(checkpoint, "lines");
    else verdicts.set(checkpoint, "bad");
    const verdict = verdicts.get(checkpoint);
    if (verdict === "lines") stored = read.copy();
    if (verdict !== "bad") differ = false;
  }
  return verdicts;
}
