import { timingSafeEqual } from "node:crypto";
import { type KmsKeyId, kmsKeyId } from "../crypto/ids.ts";
import { type Message, type MessageCipher, OVERHEAD_BYTES, parseMessage } from "../crypto/message.ts";
import { Secret } from "../crypto/secret.ts";
import { ClavigerError, codeOf, messageOf } from "../errors.ts";
import { type CurrentVersion, destroyedError, type LiveKeyring } from "../keyring/live-keyring.ts";
import { isExpired, isLater, type KeyRow, type ObservationRow, type VersionRow } from "../keyring/rows.ts";
import type { Log } from "../log.ts";
import { type KeyRef, keyRefText, nameText } from "../names.ts";
import { isoTime } from "../times.ts";
import { ApiServerObserver } from "./api-server-observer.ts";
import { type MonotonicClock, monotonicClock } from "./monotonic-clock.ts";
import { OpenVersions } from "./open-versions.ts";
import { isSelfCheck } from "./self-check.ts";

/** The API server refuses a longer ciphertext (KEP-3299); its own seeds have 32 bytes. */
const MAX_CIPHERTEXT_BYTES = 1024;
const MAX_PLAINTEXT_BYTES = MAX_CIPHERTEXT_BYTES - OVERHEAD_BYTES;

export interface DecryptRequest {
  readonly ciphertext: Uint8Array;
  readonly keyId: string;
  readonly annotationCount: number;
}

export interface Encrypted {
  readonly ciphertext: Buffer;
  readonly keyId: KmsKeyId;
}

/** What one socket serves. Everything a call needs is one immutable value, replaced in one assignment. */
interface Serving {
  readonly current: CurrentVersion;
  readonly cipher: MessageCipher;
}

/**
 * One KMS v2 provider: a key or alias, followed through the keyring.
 *
 * A new current version is opened and tested before Status names it; one that
 * fails is not served, and the one before goes on.
 */
export class Provider {
  readonly name: string;
  readonly ref: KeyRef;
  readonly #refusesImported: boolean;
  readonly #keyring: LiveKeyring;
  readonly #now: () => number;
  readonly #log: Log;
  readonly #observer: ApiServerObserver;
  readonly #opened = new OpenVersions();
  #serving: Serving | undefined;
  /** The key_ids that were served before this one. */
  readonly #left = new Set<KmsKeyId>();
  /** Why the current version that the keyring names is not served. */
  #problem: ClavigerError | undefined;
  /** Why what is served must not be used, as it was last said. */
  #refusal: { readonly kmsKeyId: KmsKeyId; readonly message: string } | undefined;
  #following: Promise<void> = Promise.resolve();

  constructor(options: {
    readonly name: string;
    readonly ref: KeyRef;
    /** Whether it must not begin with imported material that its alias has not served before. */
    readonly refusesImported?: boolean;
    readonly keyring: LiveKeyring;
    /** Epoch milliseconds. */
    readonly now: () => number;
    readonly log: Log;
    /** Called after an observation changed. */
    readonly onObserved: () => void;
    /** What the plugin before this one observed of the provider. */
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
    this.#log = options.log;
    this.#observer = new ApiServerObserver({
      ...options,
      provider: options.name,
      former: options.former?.serves === keyRefText(options.ref) ? options.former : undefined,
      wall: options.now,
      monotonic: options.monotonic ?? monotonicClock(),
    });
  }

  /** Brings this provider in step with the keyring; calls follow one another. Never throws: see `problem`. */
  follow(): Promise<void> {
    this.#following = this.#following.then(() => this.#follow());
    return this.#following;
  }

  /** Stops what would observe later. */
  close(): void {
    this.#observer.close();
  }

  get problem(): ClavigerError | undefined {
    return this.#problem;
  }

  /** Whether Status would answer with a key_id. */
  get usable(): boolean {
    return this.#serving !== undefined && this.#obstacle(this.#serving.current.version) === undefined;
  }

  /** Whether the key came to be refused or usable and nobody has been told: material expires without an event. */
  get useHasChanged(): boolean {
    return this.#serving !== undefined && this.usable !== (this.#refusal === undefined);
  }

  get observation(): ObservationRow | undefined {
    return this.#observer.row;
  }

  /** When the API server last asked Status, in epoch milliseconds, and whether that was three minutes ago or more. */
  get asking(): { readonly lastStatusAt: number | undefined; readonly isSilent: boolean } {
    const { lastStatusAt, isSilent } = this.#observer;
    return { lastStatusAt, isSilent };
  }

  /** The API server asked Status: called for every Status but our own, whatever is answered. */
  asked(): void {
    this.#observer.asked();
  }

  /** The key_id that Encrypt uses now. From memory. Throws NotReady, NotFound, KeyDisabled, KeyPendingDeletion… */
  status(): KmsKeyId {
    return this.#usable().current.kmsKeyId;
  }

  /** Wraps a data key seed (1–910 bytes). Every call but our own shows what an API server writes under. */
  encrypt(plaintext: Uint8Array, uid = ""): Encrypted {
    if (plaintext.length === 0 || plaintext.length > MAX_PLAINTEXT_BYTES) {
      throw new ClavigerError(
        "InvalidArgument",
        `plaintext has ${plaintext.length} bytes; a KMS v2 provider takes 1 to ${MAX_PLAINTEXT_BYTES}`,
      );
    }
    const { current, cipher } = this.#usable();
    const ciphertext = cipher.encrypt(plaintext);
    if (!isSelfCheck(uid)) this.#observer.encrypted();
    return { ciphertext, keyId: current.kmsKeyId };
  }

  /**
   * Opens what any provider of this node wrapped, under whichever version it names. Gives a promise
   * only if the version's material must be opened first. Throws, or rejects with, what is wrong.
   */
  decrypt(request: DecryptRequest): Buffer | Promise<Buffer> {
    refuseMalformed(request);
    const message = parseMessage(request.ciphertext);
    const opened = this.#opened.find(message.ids);
    if (opened === undefined) return this.#openAndDecrypt(message, request.keyId);
    if (opened.kmsKeyId !== request.keyId) throw otherKeyId();
    // As the keyring has it now: its owner may have changed since.
    this.#refuseUnusable(this.#keyring.version(opened.version.versionId) ?? opened.version);
    return opened.cipher.decrypt(message);
  }

  async #openAndDecrypt(message: Message, keyId: string): Promise<Buffer> {
    const { versionId } = message;
    if (kmsKeyId(message.keyId, versionId) !== keyId) throw otherKeyId();
    const version = this.#keyring.version(versionId);
    if (version === undefined) throw this.#missingVersion(versionId, keyId);
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

  /** Why a version must not be used now, if so. */
  #obstacle(version: VersionRow): ClavigerError | undefined {
    const tombstone = this.#keyring.destroyed(version.versionId);
    if (tombstone !== undefined) return destroyedError(tombstone);
    const key = this.#keyring.unusableKey(version);
    if (key !== undefined) return unusableError(key);
    // As the keyring has it now: a re-import may have moved validTo since.
    const stored = this.#keyring.version(version.versionId) ?? version;
    const now = this.#keyring.expiryTime(this.#now());
    if (stored.validTo === undefined || !isExpired(stored, now)) return undefined;
    return new ClavigerError(
      "MaterialExpired",
      `the material of version ${version.number} of MasterKey ${nameText(version.masterKey)} expired at ${isoTime(stored.validTo)};` +
        " import the same material again to use it",
    );
  }

  #missingVersion(versionId: string, keyId: string): ClavigerError {
    const tombstone = this.#keyring.destroyed(versionId);
    if (tombstone !== undefined) return destroyedError(tombstone);
    return (
      this.#keyring.problem ??
      new ClavigerError(
        "NotFound",
        `no version with key_id ${keyId} is in ${this.#keyring.path}: its operator has not brought it yet; start the operator of this node and see its log`,
      )
    );
  }

  async #follow(): Promise<void> {
    try {
      const current = this.#keyring.current(this.ref);
      if (this.#isServed(current)) {
        this.#problem = undefined;
        return;
      }
      this.#refuseGoingBack(current);
      this.#refuseImported(current);
      this.#serve(current, await this.#testedCipher(current.version));
    } catch (error) {
      this.#report(error);
    } finally {
      this.#tellUse();
    }
  }

  /** Says once that the key that is served must not be used any more, and once that it may be again. */
  #tellUse(): void {
    if (this.#serving === undefined) return;
    const { version, kmsKeyId } = this.#serving.current;
    const before = this.#refusal;
    const message = this.#obstacle(version)?.message;
    this.#refusal = message === undefined ? undefined : { kmsKeyId, message };
    const fields = { version: version.number, key_id: kmsKeyId };
    if (message !== undefined && message !== before?.message) {
      this.#log("warn", `provider ${this.name} refuses Status, Encrypt and Decrypt: ${message}`, fields);
    }
    if (message === undefined && before?.kmsKeyId === kmsKeyId) {
      this.#log("info", `provider ${this.name} serves ${keyRefText(this.ref)} again`, fields);
    }
  }

  #isServed(current: CurrentVersion): boolean {
    return this.#serving?.current.kmsKeyId === current.kmsKeyId;
  }

  /**
   * A key_id never returns, whatever a keyring put back from an old copy or an
   * alias pointed back says: the API server would take new data for stale.
   */
  #refuseGoingBack({ version, kmsKeyId }: CurrentVersion): void {
    const served = this.#serving?.current;
    if (served === undefined) return;
    const earlier = served.version.keyId === version.keyId && isLater(served.version, version);
    if (!earlier && !this.#left.has(kmsKeyId)) return;
    throw new ClavigerError(
      "KeyringCorrupt",
      `the keyring went back to version ${version.number} with key_id ${kmsKeyId}, which was served before;` +
        ` version ${served.version.number} with key_id ${served.kmsKeyId} is served on`,
    );
  }

  #refuseImported({ key, version }: CurrentVersion): void {
    if (!this.#refusesImported || version.origin !== "EXTERNAL" || "key" in this.ref) return;
    if (this.#keyring.servedImport({ alias: this.ref.alias, masterKey: key.name })) return;
    throw new ClavigerError(
      "ConfigInvalid",
      `provider ${this.name} serves ${keyRefText(this.ref)}, and the material of MasterKey ${nameText(version.masterKey)} is imported:` +
        " set allowImported to true on the provider, on every node, if whoever imported the material may know the key",
    );
  }

  async #testedCipher(version: VersionRow): Promise<MessageCipher> {
    if (version.keySpec !== "SYMMETRIC_DEFAULT") {
      throw new ClavigerError(
        "ConfigInvalid",
        `provider ${this.name} names a ${version.keySpec} key; KMS v2 needs SYMMETRIC_DEFAULT`,
      );
    }
    const { cipher } = this.#opened.add(version, await this.#keyring.material(version));
    selfTest(version, cipher);
    return cipher;
  }

  #serve(current: CurrentVersion, cipher: MessageCipher): void {
    this.#problem = undefined;
    if (this.#serving !== undefined) this.#left.add(this.#serving.current.kmsKeyId);
    this.#serving = { current, cipher };
    this.#observer.serve(current.kmsKeyId);
    this.#log("info", `provider ${this.name} serves ${keyRefText(this.ref)}`, {
      version: current.version.number,
      key_id: current.kmsKeyId,
    });
  }

  #report(error: unknown): void {
    const problem =
      error instanceof ClavigerError ? error : new ClavigerError(codeOf(error), messageOf(error));
    if (problem.message !== this.#problem?.message) {
      // On a first start the key is a moment away: that is no warning.
      const awaited = problem.code === "NotReady" || problem.code === "NotFound";
      const level = awaited && this.#serving === undefined ? "info" : "warn";
      this.#log(level, `provider ${this.name}: ${problem.message}`, {
        served: this.#serving?.current.kmsKeyId ?? "nothing",
      });
    }
    this.#problem = problem;
  }
}

/** Throws InvalidArgument. */
function refuseMalformed({ ciphertext, annotationCount }: DecryptRequest): void {
  if (annotationCount > 0) {
    throw new ClavigerError(
      "InvalidArgument",
      "the request has annotations, and claviger never returned any",
    );
  }
  if (ciphertext.length > MAX_CIPHERTEXT_BYTES) {
    throw new ClavigerError(
      "InvalidArgument",
      `ciphertext has ${ciphertext.length} bytes; a KMS v2 provider takes at most ${MAX_CIPHERTEXT_BYTES}`,
    );
  }
}

const otherKeyId = (): ClavigerError =>
  new ClavigerError("InvalidArgument", "key_id is not the one that the ciphertext was made under");

/** Pending deletion is said first: enabling the key would not help. */
function unusableError(key: KeyRow): ClavigerError {
  if (key.deletionDate === undefined) {
    return new ClavigerError(
      "KeyDisabled",
      `MasterKey ${nameText(key)} is disabled; set spec.enabled to true to use it again`,
    );
  }
  return new ClavigerError(
    "KeyPendingDeletion",
    `MasterKey ${nameText(key)} is pending deletion and will be destroyed after ${key.deletionDate}; remove spec.deletion to keep it`,
  );
}

/** An Encrypt that no Decrypt could open would lose data: prove the pair before it is offered. */
function selfTest({ versionId }: VersionRow, cipher: MessageCipher): void {
  using probe = Secret.random(32);
  const opened = cipher.decrypt(parseMessage(cipher.encrypt(probe.exposeSecretBytes())));
  if (!timingSafeEqual(opened, probe.exposeSecretBytes())) {
    throw new ClavigerError("Internal", `version ${versionId} failed its self-test`);
  }
}
