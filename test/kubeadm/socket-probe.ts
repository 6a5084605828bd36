import { setTimeout as sleep } from "node:timers/promises";
import { KmsTestClient } from "../standalone/kms.ts";
import type { Machine } from "./machine.ts";

/** The answers of a socket over some time. */
export interface Answers {
  /** How many questions were not answered. */
  readonly refused: number;
  /** The longest time between two answers, in milliseconds. */
  readonly longestGap: number;
}

/** Asks a plugin's socket again and again, and measures how long it did not answer. */
export class SocketProbe {
  #longest = 0;
  #refused = 0;
  #ended = false;
  readonly #asking: Promise<void>;

  /** `socket` is a path in the machine. A connection is opened for each question, as a new plugin has a new socket. */
  constructor(node: Machine, socket: string) {
    this.#asking = this.#ask(`/proc/${node.id}/root${socket}`);
  }

  /** Stops asking. */
  async end(): Promise<Answers> {
    this.#ended = true;
    await this.#asking;
    return { refused: this.#refused, longestGap: Math.round(this.#longest) };
  }

  async #ask(path: string): Promise<void> {
    let last = performance.now();
    while (!this.#ended) {
      using client = new KmsTestClient(path);
      const answered = await client.status().then(
        () => true,
        () => false,
      );
      if (answered) {
        this.#longest = Math.max(this.#longest, performance.now() - last);
        last = performance.now();
      } else this.#refused += 1;
      await sleep(50);
    }
  }
}
