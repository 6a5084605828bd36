import { SETTLE_MILLISECONDS, SILENCE_MILLISECONDS } from "../../api-server-times.ts";
import { type KmsKeyId, kmsKeyId } from "../../crypto/ids.ts";
import { isLater, type ObservationRow } from "../../keyring/rows.ts";
import { type KeyRef, keyRefText } from "../../names.ts";
import { NAMESPACE, type Used } from "./etcd.ts";
import type { Current, ModelKeyring } from "./model-keyring.ts";

export interface SocketConfig {
  readonly name: string;
  readonly socket: string;
  readonly ref: KeyRef;
}

/** The sockets of every node: one for a key, and one for an alias. */
export const SOCKETS: readonly SocketConfig[] = [
  {
    name: "direct",
    socket: "/run/direct.sock",
    ref: { key: { namespace: NAMESPACE, name: "secrets" } },
  },
  {
    name: "aliased",
    socket: "/run/aliased.sock",
    ref: { alias: { namespace: NAMESPACE, name: "main" } },
  },
];

interface Serving extends Current {
  readonly kmsKeyId: KmsKeyId;
}

/** The plugin's observations of the API server under one key_id. */
interface Episode {
  readonly id: string;
  readonly since: number;
  readonly encrypts: number;
  readonly lastEncryptAt?: number;
}

/** The behaviour of the plugin's Provider and ApiServerObserver for a socket, without material. */
export class ModelSocket {
  readonly config: SocketConfig;
  readonly #keyring: ModelKeyring;
  #serving: Serving | undefined;
  #episode: Episode | undefined;
  #askedAt = Number.NEGATIVE_INFINITY;
  readonly #left = new Set<string>();
  /** The versions whose key_ids Status ever answered, restarts included. */
  readonly #ever: string[] = [];
  #episodes = 0;
  /** The key_id under which Encrypts may belong to a file that the API server only tried. */
  #probedUnder: KmsKeyId | undefined;
  /** How often it began to serve another key_id. */
  switched = 0;

  constructor(config: SocketConfig, keyring: ModelKeyring) {
    this.config = config;
    this.#keyring = keyring;
  }

  get serving(): Serving | undefined {
    return this.#serving;
  }

  /** Updates it to the keyring. Throws if a key_id returns. */
  follow(now: number): void {
    const current = this.#keyring.current(this.config.ref);
    if (current === undefined || current.version.versionId === this.#serving?.version.versionId) return;
    if (this.#wouldGoBack(current)) return;
    const { keyId, versionId } = current.version;
    if (this.#serving !== undefined) this.#left.add(this.#serving.version.versionId);
    this.#serving = { ...current, kmsKeyId: kmsKeyId(keyId, versionId) };
    this.#begin(now);
    if (this.#ever.at(-1) === versionId) return;
    if (this.#ever.includes(versionId))
      throw new Error(`a key_id of ${keyRefText(this.config.ref)} returned`);
    this.#ever.push(versionId);
    this.switched += 1;
  }

  /**
   * Restarts the process, which forgets the key_ids that it left. Its observations are read again, if it was
   * a clean stop and nothing was missed.
   */
  restart(now: number, clean: boolean): void {
    const before = this.#serving?.kmsKeyId;
    const episode = this.#episode;
    this.#serving = undefined;
    this.#left.clear();
    this.follow(now);
    const continues = clean && before === this.serving?.kmsKeyId && !this.#isOverdue(now);
    if (continues && episode !== undefined) this.#episode = episode;
    // Nobody knows about earlier calls.
    else this.#askedAt = now;
  }

  /** The disk is an earlier one: old key_ids return, and nobody promised that they would not. */
  forgetEver(): void {
    this.#ever.length = 0;
  }

  /** Records that somebody has asked all the time. */
  wasAsked(now: number): void {
    this.#askedAt = now;
  }

  /** Records that the API server tries a file, which has a seed encrypted, and drops it. */
  probed(): void {
    this.#probedUnder = this.#serving?.kmsKeyId;
  }

  /**
   * True if an Encrypt under the key_id that it serves may prove nothing: a round may have begun because of
   * it, and continues.
   */
  get wasProbed(): boolean {
    return this.#serving !== undefined && this.#probedUnder === this.#serving.kmsKeyId;
  }

  /** Asks for Status. Returns the answer; undefined if it is an error. */
  ask(now: number): Used | undefined {
    const overdue = this.#isOverdue(now);
    this.#askedAt = now;
    if (overdue && this.#episode !== undefined) this.#begin(now);
    return this.status();
  }

  /** Returns the answer that Status would give. */
  status(): Used | undefined {
    if (this.#serving === undefined || this.#keyring.isRefused(this.#serving.version.keyId)) return undefined;
    const { kmsKeyId: id, version } = this.#serving;
    return { kmsKeyId: id, versionId: version.versionId, provider: this.config.name };
  }

  /** Encrypts an API server's seed. */
  encrypt(now: number): void {
    if (this.#episode === undefined) return;
    this.#episode = { ...this.#episode, encrypts: this.#episode.encrypts + 1, lastEncryptAt: now };
  }

  observation(now: number): ObservationRow[] {
    if (this.#serving === undefined || this.#episode === undefined) return [];
    const { id, since, encrypts, lastEncryptAt } = this.#episode;
    const asked = Number.isFinite(this.#askedAt) ? this.#askedAt : since;
    return [
      {
        ...{ provider: this.config.name, kmsKeyId: this.#serving.kmsKeyId, servingSince: since, encrypts },
        ...(lastEncryptAt !== undefined && { lastEncryptAt }),
        settled: now - Math.max(since, lastEncryptAt ?? since) >= SETTLE_MILLISECONDS,
        episode: id,
        ...(now - asked >= SILENCE_MILLISECONDS && { notAskedSince: asked }),
      },
    ];
  }

  #begin(now: number): void {
    this.#episodes += 1;
    this.#episode = { id: `${this.config.name} ${this.#episodes}`, since: now, encrypts: 0 };
  }

  #isOverdue(now: number): boolean {
    return now - this.#askedAt >= SILENCE_MILLISECONDS;
  }

  #wouldGoBack({ version }: Current): boolean {
    const served = this.#serving?.version;
    if (served === undefined) return false;
    return (served.keyId === version.keyId && isLater(served, version)) || this.#left.has(version.versionId);
  }
}
