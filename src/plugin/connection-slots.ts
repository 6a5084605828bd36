/**
 * The connections of one socket, with a limit. A new connection beyond the limit replaces the least useful
 * connection: the oldest on which no call was answered, or otherwise the one whose last answer is longest
 * ago. An API server asks for Status every ten seconds on each of its connections, so callers who only hold
 * connections cannot displace it.
 */
export class ConnectionSlots<Connection> {
  readonly #limit: number;
  /** Both are in the order in which their connections would be closed. */
  readonly #unanswered = new Set<Connection>();
  readonly #answered = new Set<Connection>();

  constructor(limit: number) {
    this.#limit = limit;
  }

  /** Adds a connection. If the limit is exceeded, returns the connection that must be closed. */
  add(connection: Connection): Connection | undefined {
    const [leastUseful] = [...first(this.#unanswered), ...first(this.#answered)];
    const full = this.#unanswered.size + this.#answered.size >= this.#limit;
    this.#unanswered.add(connection);
    if (!full || leastUseful === undefined) return undefined;
    this.remove(leastUseful);
    return leastUseful;
  }

  /** Records that a call on this connection was answered. */
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
