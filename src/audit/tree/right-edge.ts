import { EMPTY_ROOT, HASH_BYTES, nodeHash } from "./hashes.ts";

/**
 * What must be known of a tree to make it larger: the roots of its complete subtrees, from the largest to the
 * smallest, of which there is one for each 1 in the binary number of its leaves (RFC 6962, 2.1).
 */
export class RightEdge {
  #size: number;
  readonly #roots: Buffer[];

  /** Throws RangeError unless there is a root for each complete subtree of `size` leaves. */
  constructor(size = 0, roots: readonly Buffer[] = []) {
    if (!Number.isSafeInteger(size) || size < 0 || roots.length !== ones(size))
      throw new RangeError(`a tree of ${size} leaves does not have ${roots.length} complete subtrees`);
    if (roots.some(({ length }) => length !== HASH_BYTES)) throw new RangeError("a hash has 32 bytes");
    this.#size = size;
    this.#roots = [...roots];
  }

  /** The number of leaves. */
  get size(): number {
    return this.#size;
  }

  get roots(): readonly Buffer[] {
    return this.#roots;
  }

  /** Adds a leaf by its hash. */
  append(leaf: Buffer): void {
    let hash = leaf;
    for (let rest = this.#size; rest % 2 === 1; rest = Math.floor(rest / 2)) {
      const left = this.#roots.pop();
      if (left !== undefined) hash = nodeHash(left, hash);
    }
    this.#roots.push(hash);
    this.#size += 1;
  }

  /** Returns the root of the whole tree. */
  root(): Buffer {
    const [last, ...others] = this.#roots.toReversed();
    return others.reduce((right, left) => nodeHash(left, right), last ?? EMPTY_ROOT);
  }

  copy(): RightEdge {
    return new RightEdge(this.#size, this.#roots);
  }
}

/** Counts with numbers, because a log may have more lines than 32 bits count. */
function ones(size: number): number {
  let count = 0;
  for (let rest = size; rest > 0; rest = Math.floor(rest / 2)) count += rest % 2;
  return count;
}
