import type { KmsKeyId } from "../../crypto/ids.ts";
import type { ClavigerError } from "../../errors.ts";
import type { CurrentVersion } from "../../keys/find-key.ts";
import type { Log } from "../../log.ts";
import { type KeyRef, keyRefText } from "../../names.ts";

/** The log of one provider: each change once. */
export class ProviderLog {
  readonly #name: string;
  readonly #ref: KeyRef;
  readonly #log: Log;
  /** The last refusal that was logged, while it lasts. */
  #refusal: { readonly kmsKeyId: KmsKeyId; readonly message: string } | undefined;

  constructor(name: string, ref: KeyRef, log: Log) {
    this.#name = name;
    this.#ref = ref;
    this.#log = log;
  }

  /** True if the last logged state of the served version is that calls are refused. */
  get refuses(): boolean {
    return this.#refusal !== undefined;
  }

  serves(current: CurrentVersion): void {
    this.#log("info", `provider ${this.#name} serves ${keyRefText(this.#ref)}`, fieldsOf(current));
  }

  /** Logs once that the served version must not be used any more, and once that it may be used again. */
  use(served: CurrentVersion, obstacle: ClavigerError | undefined): void {
    const before = this.#refusal;
    const { kmsKeyId } = served;
    const message = obstacle?.message;
    this.#refusal = message === undefined ? undefined : { kmsKeyId, message };
    if (message !== undefined && message !== before?.message) {
      const text = `provider ${this.#name} refuses Status, Encrypt and Decrypt: ${message}`;
      this.#log("warn", text, fieldsOf(served));
    }
    if (message === undefined && before?.kmsKeyId === kmsKeyId) {
      this.#log("info", `provider ${this.#name} serves ${keyRefText(this.#ref)} again`, fieldsOf(served));
    }
  }

  /** Logs why the keyring's current version is not served. */
  problem({ code, message }: ClavigerError, served: CurrentVersion | undefined): void {
    // On a first start the key is a moment away: no warning.
    const awaited = code === "NotReady" || code === "NotFound";
    const level = awaited && served === undefined ? "info" : "warn";
    this.#log(level, `provider ${this.#name}: ${message}`, { served: served?.kmsKeyId ?? "nothing" });
  }
}

const fieldsOf = ({ version, kmsKeyId }: CurrentVersion) => ({ version: version.number, key_id: kmsKeyId });
