import type { Used } from "./etcd.ts";
import type { ModelSocket } from "./model-socket.ts";

/** apiserver's encryptionconfig/config.go: how long a Status answer lets an entry write under its key_id. */
const VALID_MILLISECONDS = 180_000;
/** The longest request. */
const REQUEST_MILLISECONDS = 60_000;

/** What each entry writes, and behind which socket it is. */
export const ENTRIES = [
  { resource: "secrets", socket: 0 },
  { resource: "configmaps", socket: 1 },
  { resource: "leases", socket: 1 },
] as const;

/** One kms entry of an API server's EncryptionConfiguration: a poller and a seed. */
export class ModelEntry {
  readonly resource: string;
  readonly socket: ModelSocket;
  #seed: Used | undefined;
  #validUntil = 0;
  /** Under what requests may still be under way. */
  #late: readonly { readonly used: Used; readonly until: number }[] = [];

  constructor(resource: string, socket: ModelSocket) {
    this.resource = resource;
    this.socket = socket;
  }

  /** A Status, and where it names another key_id an Encrypt, which may fail. */
  poll(now: number, succeeds: boolean): void {
    const used = this.socket.status();
    if (used === undefined) return;
    if (used.kmsKeyId !== this.#seed?.kmsKeyId) {
      if (!succeeds) return;
      this.#leave(now);
      this.#seed = used;
      this.socket.countEncrypt();
    }
    this.#validUntil = now + VALID_MILLISECONDS;
  }

  restart(): void {
    this.#seed = undefined;
    this.#late = [];
  }

  /** What a request that begins now is encrypted under; undefined where it fails. */
  encryptsUnder(now: number): Used | undefined {
    return now < this.#validUntil ? this.#seed : undefined;
  }

  /** Everything that a request may still be stored under. */
  mayStoreUnder(now: number): Used[] {
    const late = this.#late.filter(({ until }) => now < until).map(({ used }) => used);
    const valid = this.#seed !== undefined && now < this.#validUntil + REQUEST_MILLISECONDS;
    return this.#seed !== undefined && valid ? [this.#seed, ...late] : late;
  }

  #leave(now: number): void {
    if (this.#seed === undefined) return;
    const until = Math.min(now, this.#validUntil) + REQUEST_MILLISECONDS;
    this.#late = [...this.#late, { used: this.#seed, until }].filter((one) => now < one.until);
  }
}
