import { type KmsKeyId, kmsKeyId } from "../crypto/ids.ts";
import { type Message, type MessageCipher, parseMessage } from "../crypto/message.ts";
import { ClavigerError, codeOf, messageOf } from "../errors.ts";
import type { LiveKeyring } from "../keyring/live/live-keyring.ts";
import type { ObservationRow, VersionRow } from "../keyring/rows.ts";
import { type CurrentVersion, currentVersion } from "../keys/find-key.ts";
import { selfTest } from "../keys/self-test.ts";
import { missingVersion, useRefusal } from "../keys/usable-version.ts";
import type { Log } from "../log.ts";
import { type KeyRef, keyRefText } from "../names.ts";
import { ApiServerObserver } from "./observations/api-server-observer.ts";
import { type MonotonicClock, monotonicClock } from "./observations/monotonic-clock.ts";
import { type ObservedProvider, servingObstacle } from "./provider/may-serve.ts";
import { OpenVersions } from "./provider/open-versions.ts";
import { ProviderLog } from "./provider/provider-log.ts";
import {
  type DecryptRequest,
  otherKeyId,
  refuseMalformed,
  refuseUnfitPlaintext,
} from "./provider/request-rules.ts";
import { isSelfCheck } from "./self-check.ts";

export interface Encrypted {
  readonly ciphertext: Buffer;
  readonly keyId: KmsKeyId;
}

/** Everything that a call on a socket needs: one immutable value, replaced in one assignment. */
interface Serving {
  readonly current: CurrentVersion;
  readonly cipher: MessageCipher;
}

/**
 * One KMS v2 provider: a key or alias, followed through the keyring.
 *
 * A new current version is opened and tested before Status names it. A version that fails is not served, and
 * the former version continues.
 */
export class Provider {
  readonly name: string;
  readonly ref: KeyRef;
  readonly #refusesImported: boolean;
  readonly #keyring: LiveKeyring;
  readonly #now: () => number;
  readonly #log: ProviderLog;
  readonly #observer: ApiServerObserver;
  readonly #opened = new OpenVersions();
  #serving: Serving | undefined;
  /** The key_ids that were served before. */
  readonly #left = new Set<KmsKeyId>();
  /** The reason why the keyring's current version is not served. */
  #problem: ClavigerError | undefined;
  #following: Promise<void> = Promise.resolve();

  constructor(options: {
    readonly name: string;
    readonly ref: KeyRef;
    /** True if it must not start with imported material that its alias has not served before. */
    readonly refusesImported?: boolean;
    readonly keyring: LiveKeyring;
    /** Epoch milliseconds. */
    readonly now: () => number;
    readonly log: Log;
    /** Called after an observation changed. */
    readonly onObserved: () => void;
    /** The former plugin's observations of the provider. */
    readonly former?: ObservationRow | undefined;
    readonly monotonic?: MonotonicClock;
    readonly settleMilliseconds?: number | undefined;
    readonly silenceMilliseconds?: number | undefined;
  }) {
    this.name = options.name;
    this.ref = options.ref;
    this.#refusesImported = options.refusesImported ?? false;
    this.#keyring = options.keyring;
    this.#now = options.now;
    this.#log = new ProviderLog(options.name, options.ref, options.log);
    this.#observer = new ApiServerObserver({
      ...options,
      provider: options.name,
      former: options.former?.serves === keyRefText(options.ref) ? options.former : undefined,
      wall: options.now,
      monotonic: options.monotonic ?? monotonicClock(),
    });
  }

  /** Updates this provider to the keyring. Calls follow one another. Never throws: see `problem`. */
  follow(): Promise<void> {
    this.#following = this.#following.then(() => this.#follow());
    return this.#following;
  }

  /** Stops all timers. */
  close(): void {
    this.#observer.close();
  }

  get problem(): ClavigerError | undefined {
    return this.#problem;
  }

  /** True if Status would answer with a key_id. */
  get usable(): boolean {
    return this.#serving !== undefined && this.#obstacle(this.#serving.current.version) === undefined;
  }

  /**
   * True if the key came to be refused or usable and this was not reported yet: material expires without an
   * event.
   */
  get useHasChanged(): boolean {
    return this.#serving !== undefined && this.usable === this.#log.refuses;
  }

  get observation(): ObservationRow | undefined {
    return this.#observer.row;
  }

  /**
   * Returns the version that a call is about: that which a ciphertext names, or without a ciphertext that which
   * encrypts. Nothing in a ciphertext is verified. Returns nothing if this node has no such version.
   */
  versionOf(ciphertext: Uint8Array | undefined): VersionRow | undefined {
    if (ciphertext === undefined) return this.#serving?.current.version;
    try {
      const message = parseMessage(ciphertext);
      return this.#opened.find(message.ids)?.version ?? this.#keyring.version(message.versionId);
    } catch {
      return undefined;
    }
  }

  /**
   * When the API server last asked for Status, in epoch milliseconds, and whether that was three minutes ago
   * or more.
   */
  get asking(): { readonly lastStatusAt: number | undefined; readonly isSilent: boolean } {
    const { lastStatusAt, isSilent } = this.#observer;
    return { lastStatusAt, isSilent };
  }

  /**
   * Records that the API server asked for Status: called for every Status except our own, whatever is
   * answered.
   */
  asked(): void {
    this.#observer.asked();
  }

  /**
   * Returns the key_id that Encrypt uses now, from memory. Throws NotReady, NotFound, KeyDisabled,
   * KeyPendingDeletion…
   */
  status(): KmsKeyId {
    return this.#usable().current.kmsKeyId;
  }

  /**
   * Encrypts a data key seed (1–910 bytes). Every call except our own shows under which key_id an API server
   * writes.
   */
  encrypt(plaintext: Uint8Array, uid = ""): Encrypted {
    refuseUnfitPlaintext(plaintext);
    const { current, cipher } = this.#usable();
    const ciphertext = cipher.encrypt(plaintext);
    if (!isSelfCheck(uid)) this.#observer.encrypted();
    return { ciphertext, keyId: current.kmsKeyId };
  }

  /**
   * Opens a ciphertext that any provider of this node made, under the version that it names. Returns a
   * promise only if the version's material must be opened first. An error is thrown, or rejects the promise.
   */
  decrypt(request: DecryptRequest): Buffer | Promise<Buffer> {
    refuseMalformed(request);
    const message = parseMessage(request.ciphertext);
    const opened = this.#opened.find(message.ids);
    if (opened === undefined) return this.#openAndDecrypt(message, request.keyId);
    if (opened.kmsKeyId !== request.keyId) throw otherKeyId();
    // Uses the keyring's present row, because its owner may have changed since.
    this.#refuseUnusable(this.#keyring.version(opened.version.versionId) ?? opened.version);
    return opened.cipher.decrypt(message);
  }

  async #openAndDecrypt(message: Message, keyId: string): Promise<Buffer> {
    const { versionId } = message;
    if (kmsKeyId(message.keyId, versionId) !== keyId) throw otherKeyId();
    const version = this.#keyring.version(versionId);
    if (version === undefined) throw missingVersion(this.#keyring, versionId, keyId);
    this.#refuseUnusable(version);
    const material = await this.#keyring.material(version);
    return this.#opened.add(version, material).cipher.decrypt(message);
  }

  #usable(): Serving {
    if (this.#serving === undefined) {
      throw this.#problem ?? new ClavigerError("NotReady", `provider ${this.name} is starting`);
    }
    this.#refuseUnusable(this.#serving.current.version);
    return this.#serving;
  }

  #refuseUnusable(version: VersionRow): void {
    const obstacle = this.#obstacle(version);
    if (obstacle !== undefined) throw obstacle;
  }

  #obstacle(version: VersionRow): ClavigerError | undefined {
    return useRefusal(this.#keyring, version, this.#now());
  }

  async #follow(): Promise<void> {
    try {
      const current = currentVersion(this.#keyring, this.ref);
      if (this.#serving?.current.kmsKeyId !== current.kmsKeyId) await this.#begin(current);
      this.#problem = undefined;
    } catch (error) {
      this.#report(error);
    } finally {
      this.#logUse();
    }
  }

  async #begin(current: CurrentVersion): Promise<void> {
    const obstacle = servingObstacle(this.#observed(current), current);
    if (obstacle !== undefined) throw obstacle;
    const material = await this.#keyring.material(current.version);
    selfTest(current.version, material);
    if (this.#serving !== undefined) this.#left.add(this.#serving.current.kmsKeyId);
    this.#serving = { current, cipher: this.#opened.add(current.version, material).cipher };
    this.#observer.serve(current.kmsKeyId);
    this.#log.serves(current);
  }

  #observed({ key }: CurrentVersion): ObservedProvider {
    const { name, ref } = this;
    const mayBeImported =
      !this.#refusesImported ||
      "key" in ref ||
      this.#keyring.servedImport({ alias: ref.alias, masterKey: key.name });
    return { name, ref, served: this.#serving?.current, left: this.#left, mayBeImported };
  }

  #logUse(): void {
    if (this.#serving === undefined) return;
    const { current } = this.#serving;
    this.#log.use(current, this.#obstacle(current.version));
  }

  #report(error: unknown): void {
    const problem =
      error instanceof ClavigerError ? error : new ClavigerError(codeOf(error), messageOf(error));
    if (problem.message !== this.#problem?.message) this.#log.problem(problem, this.#serving?.current);
    this.#problem = problem;
  }
}
