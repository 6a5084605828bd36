import { nodeHash } from "./hashes.ts";
import { RightEdge } from "./right-edge.ts";

/** The leaf hashes of a log, read from a file or kept in memory. */
export interface Leaves {
  /** The number of leaves. */
  readonly size: number;
  /** Yields the leaves from `from` on and before `to`. */
  range(from: number, to: number): Iterable<Buffer>;
}

/** Returns the tree over the leaves from `from` on and before `to`. Throws RangeError unless they are all there. */
export function treeOf(leaves: Leaves, from: number, to: number): RightEdge {
  const edge = new RightEdge();
  for (const leaf of leaves.range(from, to)) edge.append(leaf);
  if (edge.size !== to - from) throw new RangeError(`there are no ${to} leaves`);
  return edge;
}

/** Returns the root of this tree. */
export const rootOf = (leaves: Leaves, from: number, to: number): Buffer => treeOf(leaves, from, to).root();

/** Returns the largest power of two below `size`, which is above 1. */
function halfOf(size: number): number {
  let half = 1;
  while (half * 2 < size) half *= 2;
  return half;
}

/**
 * Returns the proof that a leaf is in the tree of the first `size` leaves: PATH of RFC 6962, 2.1.1. It reads each leaf
 * once. Throws RangeError unless the leaf is in this tree, and the tree in these leaves.
 */
export function inclusionProof(leaves: Leaves, index: number, size: number): readonly Buffer[] {
  if (!(index >= 0 && index < size && size <= leaves.size))
    throw new RangeError(`leaf ${index} is not in a tree of ${size} of ${leaves.size} leaves`);
  return path(leaves, { from: 0, to: size }, (middle) => index < middle);
}

/** Descends to one leaf, and returns the roots of the subtrees that are passed, the lowest first. */
function path(leaves: Leaves, whole: Range, goesLeft: (middle: number) => boolean): readonly Buffer[] {
  const proof: Buffer[] = [];
  let { from, to } = whole;
  while (to - from > 1) {
    const middle = from + halfOf(to - from);
    const isLeft = goesLeft(middle);
    proof.push(isLeft ? rootOf(leaves, middle, to) : rootOf(leaves, from, middle));
    if (isLeft) to = middle;
    else from = middle;
  }
  return proof.reverse();
}

interface Range {
  readonly from: number;
  readonly to: number;
}

/**
 * Returns the proof that the tree of `size` leaves continues the tree of `earlier` leaves: PROOF of RFC 6962, 2.1.2; empty
 * for an empty tree and for the same size. Throws RangeError unless 0 ≤ earlier ≤ size ≤ number of leaves.
 */
export function consistencyProof(leaves: Leaves, earlier: number, size: number): readonly Buffer[] {
  if (!(earlier >= 0 && earlier <= size && size <= leaves.size))
    throw new RangeError(`no trees of ${earlier} and ${size} of ${leaves.size} leaves`);
  if (earlier === 0 || earlier === size) return [];
  const proof: Buffer[] = [];
  let from = 0;
  let to = size;
  while (to > earlier) {
    const middle = from + halfOf(to - from);
    const isLeft = earlier <= middle;
    proof.push(isLeft ? rootOf(leaves, middle, to) : rootOf(leaves, from, middle));
    if (isLeft) to = middle;
    else from = middle;
  }
  // The verifier knows the earlier root, and needs this subtree only if it is a part of it.
  if (from > 0) proof.push(rootOf(leaves, from, to));
  return proof.reverse();
}

export interface Inclusion {
  readonly index: number;
  readonly size: number;
  readonly leaf: Buffer;
  readonly proof: readonly Buffer[];
  readonly root: Buffer;
}

const half = (number: number): number => Math.floor(number / 2);
const isOdd = (number: number): boolean => number % 2 === 1;

/** Returns true if the proof shows that the leaf is in the tree with this root (RFC 9162, 2.1.3.2). */
export function isIncluded({ index, size, leaf, proof, root }: Inclusion): boolean {
  if (!(index >= 0 && index < size)) return false;
  let at = index;
  let last = size - 1;
  let hash = leaf;
  for (const step of proof) {
    if (last === 0) return false;
    if (isOdd(at) || at === last) {
      hash = nodeHash(step, hash);
      for (; !isOdd(at) && at !== 0; at = half(at)) last = half(last);
    } else hash = nodeHash(hash, step);
    at = half(at);
    last = half(last);
  }
  return last === 0 && hash.equals(root);
}

export interface Consistency {
  readonly earlier: { readonly size: number; readonly root: Buffer };
  readonly later: { readonly size: number; readonly root: Buffer };
  readonly proof: readonly Buffer[];
}

/** Returns true if the proof shows that the later tree continues the earlier tree (RFC 9162, 2.1.4.2). */
export function isConsistent({ earlier, later, proof }: Consistency): boolean {
  if (earlier.size === 0 || earlier.size === later.size)
    return proof.length === 0 && (earlier.size === 0 || earlier.root.equals(later.root));
  if (earlier.size > later.size) return false;
  let at = earlier.size - 1;
  let last = later.size - 1;
  for (; isOdd(at); at = half(at)) last = half(last);
  const [seed, ...steps] = at === 0 ? [earlier.root, ...proof] : proof;
  if (seed === undefined) return false;
  let before = seed;
  let after = seed;
  for (const step of steps) {
    if (last === 0) return false;
    if (isOdd(at) || at === last) {
      before = nodeHash(step, before);
      after = nodeHash(step, after);
      for (; !isOdd(at) && at !== 0; at = half(at)) last = half(last);
    } else after = nodeHash(after, step);
    at = half(at);
    last = half(last);
  }
  return last === 0 && before.equals(earlier.root) && after.equals(later.root);
}
