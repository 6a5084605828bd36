import { statSync } from "node:fs";
import type { ProviderConfig } from "../config.ts";
import { messageOf } from "../errors.ts";
import { appearanceOf, editTime } from "../file-appearance.ts";
import type { KeyServerStatus } from "../kube/resources.ts";
import { type EncryptionConfig, readEncryptionConfig } from "../storage/encryption-config.ts";
import { type SocketScope, scopeOf } from "../storage/scope.ts";
import type { Problem } from "./version-tester.ts";

/** `editedAt` is when the file was edited or put in its place, in epoch milliseconds. */
type ScopedProvider = ProviderConfig & {
  readonly scope?: SocketScope;
  readonly editedAt?: number;
};

/**
 * What this node's EncryptionConfiguration puts on each socket, read again when
 * the file changes. Where it cannot be read, what was last reported stands: a
 * file in the middle of an edit must not undo a proof.
 */
export class SocketScopes {
  readonly #path: string | undefined;
  /** How the file looked when it was last read, or could not be. */
  #seen: string | undefined;
  /** How it looked when it was last asked whether it changed. */
  #asked: string | undefined;
  #config: EncryptionConfig | undefined;
  #editedAt = 0;

  constructor(encryptionConfigPath: string | undefined) {
    this.#path = encryptionConfigPath;
  }

  of(
    providers: readonly ProviderConfig[],
    before: KeyServerStatus | undefined,
    problems: Problem[],
  ): ScopedProvider[] {
    if (this.#path === undefined) return [...providers];
    try {
      const config = this.#current(this.#path);
      const editedAt = this.#editedAt;
      return providers.map((provider) => ({
        ...provider,
        scope: scopeOf(config, provider.socket),
        editedAt,
      }));
    } catch (error) {
      problems.push({ reason: "EncryptionConfigInvalid", message: messageOf(error) });
      return providers.map((provider) => withReported(provider, before));
    }
  }

  /** Whether the file is another one than was last read, and than at the last call. */
  changed(): boolean {
    if (this.#path === undefined) return false;
    const before = this.#asked;
    this.#asked = appearanceOf(this.#path);
    return this.#asked !== this.#seen && this.#asked !== before;
  }

  /** A file that cannot be read is tried at each call. */
  #current(path: string): EncryptionConfig {
    const appearance = appearanceOf(path);
    if (this.#config === undefined || this.#seen !== appearance) {
      this.#seen = appearance;
      this.#config = undefined;
      const stat = statSync(path, { throwIfNoEntry: false });
      this.#editedAt = stat === undefined ? 0 : editTime(stat);
      this.#config = readEncryptionConfig(path);
    }
    return this.#config;
  }
}

function withReported(provider: ProviderConfig, before: KeyServerStatus | undefined): ScopedProvider {
  const reported = before?.providers?.find(({ name }) => name === provider.name);
  if (reported?.entries === undefined) return provider;
  const { entries, resources = [], reads = resources } = reported;
  return { ...provider, scope: { entries, resources, reads } };
}
