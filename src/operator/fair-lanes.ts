/**
 * A first-in first-out queue for each lane; lanes take turns. One lane's thousands of items
 * delay another lane's first item by one item for each lane that waits. Of items with one key
 * the first waits.
 */
export class FairLanes<T> {
  readonly #laneOf: (item: T) => string;
  readonly #keyOf: (item: T) => string;
  /** In the order of their turns; no lane is empty. */
  readonly #lanes = new Map<string, Map<string, T>>();

  constructor(laneOf: (item: T) => string, keyOf: (item: T) => string) {
    this.#laneOf = laneOf;
    this.#keyOf = keyOf;
  }

  /** The number of waiting items. */
  get size(): number {
    return [...this.#lanes.values()].reduce((sum, lane) => sum + lane.size, 0);
  }

  has(item: T): boolean {
    return this.#lanes.get(this.#laneOf(item))?.has(this.#keyOf(item)) === true;
  }

  add(item: T): void {
    if (this.has(item)) return;
    const name = this.#laneOf(item);
    const lane = this.#lanes.get(name) ?? new Map<string, T>();
    this.#lanes.set(name, lane.set(this.#keyOf(item), item));
  }

  /** Takes the first item of the lane whose turn it is. That lane's next turn comes after all others. */
  take(): T | undefined {
    const [turn] = this.#lanes;
    if (turn === undefined) return undefined;
    const [name, lane] = turn;
    const [first] = lane;
    this.#lanes.delete(name);
    if (first !== undefined) lane.delete(first[0]);
    if (lane.size > 0) this.#lanes.set(name, lane);
    return first?.[1];
  }

  /** Removes an item. Returns true if it was waiting. */
  delete(item: T): boolean {
    const name = this.#laneOf(item);
    const lane = this.#lanes.get(name);
    const waited = lane?.delete(this.#keyOf(item)) === true;
    if (lane?.size === 0) this.#lanes.delete(name);
    return waited;
  }

  clear(): void {
    this.#lanes.clear();
  }
}
