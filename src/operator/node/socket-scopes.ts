import { createHash } from "node:crypto";
import { statSync } from "node:fs";
import { resolve } from "node:path";
import { isDeepStrictEqual } from "node:util";
import { MAX_YAML_BYTES } from "../../config/bounded-yaml.ts";
import type { ProviderConfig } from "../../config/config.ts";
import { messageOf } from "../../errors.ts";
import { appearanceOf, editTime } from "../../files/file-appearance.ts";
import { readRegularFile } from "../../files/regular-file.ts";
import type { KeyServerStatus } from "../../resources/schemas/key-server.ts";
import {
  type EncryptionConfig,
  parseEncryptionConfig,
  readEncryptionConfig,
} from "../../storage/encryption-config/encryption-config.ts";
import { type SocketScope, scopeOf } from "../../storage/scope.ts";
import type { ApiServerStatus, ConfigFile } from "./decide-api-server.ts";

/** A provider, and the resources that its API server assigns to its socket. */
export type ScopedProvider = ProviderConfig & {
  readonly scope?: SocketScope;
  /** When the file was edited or replaced, in epoch milliseconds. */
  readonly editedAt?: number;
  /**
   * True if the API server uses the file as far as this provider is concerned; undefined if it does not
   * report its file.
   */
  readonly takenUp?: boolean;
};

/** The EncryptionConfiguration on the disk; without `config` if claviger cannot read it. */
interface ReadFile extends ConfigFile {
  readonly config?: EncryptionConfig;
}

/** The scope at an API server that was started without a file. */
const NOTHING: SocketScope = { entries: 0, resources: [], reads: [] };

/**
 * Knows which resources the API server of this node assigns to each socket. The API server uses the file that
 * it has loaded, and reports which file that is. Until it has loaded an edit, the scopes of the former file
 * stay.
 */
export class SocketScopes {
  readonly #path: string | undefined;
  /** The appearance of the file when it was last read, or could not be read. */
  #seen: string | undefined;
  /** Its appearance at the last call of `changed`. */
  #asked: string | undefined;
  #file: ReadFile | undefined;
  /** The file that the API server uses, if this process has read that file. */
  #loaded: { readonly hash: string; readonly config: EncryptionConfig } | undefined;

  constructor(encryptionConfigPath: string | undefined) {
    this.#path = encryptionConfigPath;
  }

  /** Returns the file on the disk, read again when it changes; undefined if the configuration names none. */
  file(): ReadFile | undefined {
    if (this.#path === undefined) return undefined;
    const appearance = appearanceOf(this.#path);
    // A file that cannot be read is retried at each call.
    if (this.#file?.config === undefined || this.#seen !== appearance) {
      this.#seen = appearance;
      this.#file = readFile(this.#path);
    }
    return this.#file;
  }

  /** `said` is the file that the API server reports; undefined if nobody asks it. */
  of(
    providers: readonly ProviderConfig[],
    said: ApiServerStatus | undefined,
    before: KeyServerStatus | undefined,
  ): ScopedProvider[] {
    const file = this.file();
    this.#remember(said, file);
    return providers.map((provider) => {
      if (said?.encryptionConfig === "NotConfigured") return withoutFile(provider, file);
      if (file === undefined) return provider;
      const hash = said?.encryptionConfig === "Unknown" ? undefined : said?.configHash;
      return hash === undefined
        ? withEditedFile(provider, file, before)
        : this.#byItsWord(provider, hash, file, before);
    });
  }

  /**
   * Returns true if the file was edited and has not been read since. Returns true only once for each edit.
   */
  changed(): boolean {
    if (this.#path === undefined) return false;
    const before = this.#asked;
    this.#asked = appearanceOf(this.#path);
    return this.#asked !== this.#seen && this.#asked !== before;
  }

  #remember(said: ApiServerStatus | undefined, file: ReadFile | undefined): void {
    const { hash, config } = file ?? {};
    if (hash === undefined || config === undefined || said?.configHash !== hash) return;
    this.#loaded = { hash, config };
  }

  #byItsWord(
    provider: ProviderConfig,
    hash: string,
    file: ReadFile,
    before: KeyServerStatus | undefined,
  ): ScopedProvider {
    const scope = this.#knownScope(provider, hash, before);
    const onDisk = file.config && scopeOf(file.config, provider.socket);
    const takenUp = scope !== undefined && (file.hash === hash || isDeepStrictEqual(onDisk, scope));
    return { ...provider, ...(scope && { scope }), editedAt: file.editedAt, takenUp };
  }

  /** Returns the scope of a socket in the file with that hash, if this process or the former has read it. */
  #knownScope(
    provider: ProviderConfig,
    hash: string,
    before: KeyServerStatus | undefined,
  ): SocketScope | undefined {
    if (this.#loaded?.hash === hash) return scopeOf(this.#loaded.config, provider.socket);
    return before?.apiServer?.configHash === hash ? reportedScope(provider, before) : undefined;
  }
}

function readFile(path: string): ReadFile {
  const absolute = resolve(path);
  const editedAt = editTimeOf(path);
  let hash: string | undefined;
  try {
    const bytes = bytesOf(path);
    hash = `sha256:${createHash("sha256").update(bytes).digest("hex")}`;
    const config = parseEncryptionConfig(bytes, absolute);
    const { refusedOnReload } = config;
    return { path: absolute, hash, editedAt, config, ...(refusedOnReload && { refusedOnReload }) };
  } catch (error) {
    return { path: absolute, hash, editedAt, fault: messageOf(error) };
  }
}

function bytesOf(path: string): Buffer {
  try {
    return readRegularFile(path, { maxBytes: MAX_YAML_BYTES });
  } catch (error) {
    // Its error says what to do.
    readEncryptionConfig(path);
    throw error;
  }
}

function editTimeOf(path: string): number {
  try {
    const stat = statSync(path, { throwIfNoEntry: false });
    return stat === undefined ? 0 : editTime(stat);
  } catch {
    return 0;
  }
}

/** The API server may be meant to use the file on the disk, and have lost its flag by accident. */
function withoutFile(provider: ProviderConfig, file: ReadFile | undefined): ScopedProvider {
  if (file === undefined) return { ...provider, scope: NOTHING, takenUp: true };
  const takenUp = file.config !== undefined && scopeOf(file.config, provider.socket).entries === 0;
  return { ...provider, scope: NOTHING, editedAt: file.editedAt, takenUp };
}

/**
 * Uses the file on the disk; Encrypts must show that the API server uses it. A file in the middle of an edit
 * changes nothing.
 */
function withEditedFile(
  provider: ProviderConfig,
  { config, editedAt }: ReadFile,
  before: KeyServerStatus | undefined,
): ScopedProvider {
  if (config !== undefined) return { ...provider, scope: scopeOf(config, provider.socket), editedAt };
  const scope = reportedScope(provider, before);
  return scope === undefined ? provider : { ...provider, scope };
}

function reportedScope(
  { name }: ProviderConfig,
  before: KeyServerStatus | undefined,
): SocketScope | undefined {
  const reported = before?.providers?.find((provider) => provider.name === name);
  if (reported?.entries === undefined) return undefined;
  const { entries, resources = [], reads = resources, namesHash } = reported;
  return { entries, resources, reads, ...(namesHash !== undefined && { namesHash }) };
}
