import { FairLanes } from "./fair-lanes.ts";

/** Keys in use that somebody has changed, and work for which thousands of keys wait at once. */
export type Lane = "prompt" | "bulk";

/**
 * Items that wait in two lanes, which take turns: thousands of bulk items delay a prompt item by one item.
 */
export class PromptAndBulk<T> {
  readonly #lanes: Readonly<Record<Lane, FairLanes<T>>>;
  #lastTurn: Lane = "bulk";

  constructor(namespaceOf: (item: T) => string, keyOf: (item: T) => string) {
    this.#lanes = {
      prompt: new FairLanes(namespaceOf, keyOf),
      bulk: new FairLanes(namespaceOf, keyOf),
    };
  }

  /** The number of waiting items. */
  get size(): number {
    return this.#lanes.prompt.size + this.#lanes.bulk.size;
  }

  has(item: T): boolean {
    return this.#lanes.prompt.has(item) || this.#lanes.bulk.has(item);
  }

  /** Adds an item. An item that already waits stays, unless it moves from bulk to prompt. */
  add(item: T, lane: Lane): void {
    if (lane === "prompt") this.#lanes.bulk.delete(item);
    if (!this.#lanes.prompt.has(item)) this.#lanes[lane].add(item);
  }

  /** Removes an item. Returns true if it was waiting. */
  delete(item: T): boolean {
    return [this.#lanes.prompt.delete(item), this.#lanes.bulk.delete(item)].includes(true);
  }

  take(): T | undefined {
    const next: Lane = this.#lastTurn === "bulk" ? "prompt" : "bulk";
    for (const lane of [next, this.#lastTurn]) {
      const item = this.#lanes[lane].take();
      if (item === undefined) continue;
      this.#lastTurn = lane;
      return item;
    }
    return undefined;
  }
}
