import { messageOf } from "./errors.ts";

const RETRY_MILLISECONDS = 1_000;

/** Something that runs until it is closed, or ends by itself. */
export interface Running {
  /** Resolves with the reason when it has ended. */
  readonly ended: Promise<Error>;
  close(): Promise<void>;
}

/** Called with each new problem, and without an error when it is over. */
export type Complain = (error: unknown) => void;

/** Keeps a thread alive: if a thread cannot start or ends by itself, another one follows a second later. */
export class Keeper<T extends Running> {
  readonly #start: () => Promise<T>;
  readonly #complain: Complain;
  #running: T | undefined;
  #timer: NodeJS.Timeout | undefined;
  #attempt: Promise<void> = Promise.resolve();
  #closed = false;
  #complaint: string | undefined;

  constructor(start: () => Promise<T>, complain: Complain) {
    this.#start = start;
    this.#complain = complain;
  }

  begin(): this {
    this.#attempt = this.#try();
    return this;
  }

  keep(running: T): this {
    this.#running = running;
    this.#tell(undefined);
    running.ended.then((reason) => {
      if (!this.#closed) this.#again(reason);
    });
    return this;
  }

  async close(): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#timer);
    await this.#attempt;
    await this.#running?.close();
  }

  async #try(): Promise<void> {
    try {
      this.keep(await this.#start());
    } catch (error) {
      this.#again(error);
    }
  }

  #again(error: unknown): void {
    this.#tell(error);
    if (!this.#closed) this.#timer = setTimeout(() => this.begin(), RETRY_MILLISECONDS);
  }

  #tell(error: unknown): void {
    const complaint = error === undefined ? undefined : messageOf(error);
    if (complaint !== this.#complaint) this.#complain(error);
    this.#complaint = complaint;
  }
}
