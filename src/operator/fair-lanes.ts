/**
 * A first-in first-out queue for each lane; lanes take turns. One lane's thousands of items
 * delay another lane's first item by one item for each lane that waits. An item waits at most once.
 */
export class FairLanes<T> {
  readonly #laneOf: (item: T) => string;
  /** In the order of their turns; no lane is empty. */
  readonly #lanes = new Map<string, Set<T>>();

  constructor(laneOf: (item: T) => string) {
    this.#laneOf = laneOf;
  }

  /** Items that wait. */
  get size(): number {
    return [...this.#lanes.values()].reduce((sum, lane) => sum + lane.size, 0);
  }

  has(item: T): boolean {
    return this.#lanes.get(this.#laneOf(item))?.has(item) === true;
  }

  add(item: T): void {
    const name = this.#laneOf(item);
    const lane = this.#lanes.get(name);
    if (lane === undefined) this.#lanes.set(name, new Set([item]));
    else lane.add(item);
  }

  /** Takes the first item of the lane whose turn it is; that lane's next turn comes after all others. */
  take(): T | undefined {
    const [turn] = this.#lanes;
    if (turn === undefined) return undefined;
    const [name, lane] = turn;
    const [item] = lane;
    this.#lanes.delete(name);
    if (item !== undefined) lane.delete(item);
    if (lane.size > 0) this.#lanes.set(name, lane);
    return item;
  }

  /** Returns whether the item waited. */
  delete(item: T): boolean {
    const name = this.#laneOf(item);
    const lane = this.#lanes.get(name);
    const waited = lane?.delete(item) === true;
    if (lane?.size === 0) this.#lanes.delete(name);
    return waited;
  }

  clear(): void {
    this.#lanes.clear();
  }
}
