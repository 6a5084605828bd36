import type { KeyServerStatus } from "../../resources/schemas/key-server.ts";

/** How long a written report proves that this node can still report its problems. */
const PROOF_MILLISECONDS = 30_000;

/**
 * The last report that this node wanted to write into its KeyServer, and whether it could be written.
 *
 * A renewed Lease means that the KeyServer is true. A node whose status is refused, by a policy or a webhook
 * for example, must not continue to renew: its former report would pass for the present.
 */
export class NodeReport {
  readonly #write: (status: KeyServerStatus) => Promise<void>;
  readonly #now: () => number;
  readonly #first = Promise.withResolvers<void>();
  #wanted: KeyServerStatus | undefined;
  /** When the wanted report was last written, by a clock that never jumps. */
  #writtenAt: number | undefined;
  /** Resolves when all requested writes have ended, so that an older report never follows a newer one. */
  #turn: Promise<unknown> = Promise.resolve();

  constructor(
    write: (status: KeyServerStatus) => Promise<void>,
    now: () => number = () => performance.now(),
  ) {
    this.#write = write;
    this.#now = now;
  }

  /** Resolves once the first report was written, or `giveUp` was called. */
  get first(): Promise<void> {
    return this.#first.promise;
  }

  giveUp(): void {
    this.#first.resolve();
  }

  /** Writes a report. Throws the API server's refusal. */
  say(status: KeyServerStatus): Promise<void> {
    this.#wanted = status;
    this.#writtenAt = undefined;
    return this.#inTurn();
  }

  /** Writes the wanted report again, unless that was done lately. Throws if it is no longer accepted. */
  async prove(): Promise<void> {
    const age = this.#writtenAt === undefined ? Number.POSITIVE_INFINITY : this.#now() - this.#writtenAt;
    if (this.#wanted !== undefined && age >= PROOF_MILLISECONDS) await this.#inTurn();
  }

  #inTurn(): Promise<void> {
    const written = this.#turn.then(() => this.#writeWanted());
    this.#turn = written.catch(() => undefined);
    return written;
  }

  async #writeWanted(): Promise<void> {
    const wanted = this.#wanted;
    if (wanted === undefined) return;
    const started = this.#now();
    try {
      await this.#write(wanted);
    } catch (error) {
      this.#writtenAt = undefined;
      throw error;
    }
    this.#writtenAt = wanted === this.#wanted ? started : undefined;
    this.#first.resolve();
  }
}
