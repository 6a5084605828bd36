/**
 * The connections of one socket, of which only so many may be open at a time. If another one
 * comes, the least useful one has to go: the oldest that no call was answered on, else the one
 * whose last answer is longest ago. An API server asks for Status every ten seconds on each of
 * its connections, so that callers who only hold connections cannot take its place.
 */
export class ConnectionSlots<Connection> {
  readonly #limit: number;
  /** Both in the order in which they would have to go. */
  readonly #unanswered = new Set<Connection>();
  readonly #answered = new Set<Connection>();

  constructor(limit: number) {
    this.#limit = limit;
  }

  /** Adds a connection; returns the one that has to go for it, if the limit is exceeded. */
  add(connection: Connection): Connection | undefined {
    const [leastUseful] = [...first(this.#unanswered), ...first(this.#answered)];
    const full = this.#unanswered.size + this.#answered.size >= this.#limit;
    this.#unanswered.add(connection);
    if (!full || leastUseful === undefined) return undefined;
    this.remove(leastUseful);
    return leastUseful;
  }

  /** Notes that a call on this connection was answered. */
  answered(connection: Connection): void {
    if (!this.#unanswered.delete(connection) && !this.#answered.delete(connection)) return;
    this.#answered.add(connection);
  }

  remove(connection: Connection): void {
    this.#unanswered.delete(connection);
    this.#answered.delete(connection);
  }

  *[Symbol.iterator](): Iterator<Connection> {
    yield* this.#unanswered;
    yield* this.#answered;
  }
}

function first<T>(set: ReadonlySet<T>): T[] {
  for (const item of set) return [item];
  return [];
}
