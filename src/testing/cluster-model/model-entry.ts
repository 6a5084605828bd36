import { PLAIN, type Used } from "./etcd.ts";
import type { ModelSocket } from "./model-socket.ts";

/**
 * How long a Status answer lets an entry write under its key_id, as in apiserver's
 * encryptionconfig/config.go.
 */
const VALID_MILLISECONDS = 180_000;
/** The longest request. */
const REQUEST_MILLISECONDS = 60_000;

/** One kms entry of an API server's EncryptionConfiguration: a poller and a seed. */
export class ModelEntry {
  readonly socket: ModelSocket;
  #seed: Used | undefined;
  #validUntil = 0;

  constructor(socket: ModelSocket) {
    this.socket = socket;
  }

  /**
   * Asks for Status and, if it names another key_id, sends an Encrypt, which may fail. Returns the former way
   * of writing, if it changes.
   */
  poll(now: number, succeeds: boolean): Written | undefined {
    const used = this.socket.ask(now);
    if (used === undefined) return undefined;
    const before = this.written(now);
    const changes = used.kmsKeyId !== this.#seed?.kmsKeyId;
    if (changes) {
      if (!succeeds) return undefined;
      this.#seed = used;
      this.socket.encrypt(now);
    }
    this.#validUntil = now + VALID_MILLISECONDS;
    return changes ? before : undefined;
  }

  /** Returns the key_id for a request that begins now; undefined if it fails. */
  encryptsUnder(now: number): Used | undefined {
    return now < this.#validUntil ? this.#seed : undefined;
  }

  /** Returns how requests that began until now store, and until when. */
  written(now: number): Written | undefined {
    if (this.#seed === undefined) return undefined;
    return { used: this.#seed, until: Math.min(now, this.#validUntil) + REQUEST_MILLISECONDS };
  }

  /** Until when a request may be stored under the present key_id. */
  get storesUntil(): number {
    return this.#validUntil + REQUEST_MILLISECONDS;
  }

  get seed(): Used | undefined {
    return this.#seed;
  }
}

/** The key_id of requests that may still be in progress. */
export interface Written {
  readonly used: Used;
  readonly until: number;
}

export const plainUntil = (now: number): Written => ({ used: PLAIN, until: now + REQUEST_MILLISECONDS });
