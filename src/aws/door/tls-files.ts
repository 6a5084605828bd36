import { createSecureContext } from "node:tls";
import { ClavigerError, messageOf } from "../../errors.ts";
import { appearanceOf } from "../../files/file-appearance.ts";
import { readOwnFile } from "../../files/own-file.ts";

/** A certificate with its chain is smaller, and so is a key. */
const MAX_PEM_BYTES = 256 * 1024;

/** The paths of a certificate and its key. */
export interface TlsPaths {
  readonly cert: string;
  readonly key: string;
}

/** A certificate and its key, as PEM. */
export interface TlsPair {
  readonly cert: string;
  readonly key: string;
}

/** A certificate and its key on the disk, read again when a file changes. */
export class TlsFiles {
  readonly #paths: TlsPaths;
  #appearance: string;

  constructor(paths: TlsPaths) {
    this.#paths = paths;
    this.#appearance = this.#look();
  }

  /** Reads the pair. Throws ConfigInvalid if a file cannot be used or the key is another certificate's. */
  read(): TlsPair {
    const { cert, key } = this.#paths;
    const pair = { cert: readPem(cert), key: readPem(key) };
    try {
      createSecureContext(pair);
    } catch (cause) {
      throw new ClavigerError(
        "ConfigInvalid",
        `certificate ${cert} and key ${key} of the AWS KMS API do not go together: ${messageOf(cause)}`,
      );
    }
    return pair;
  }

  /**
   * Returns the new pair if a file has changed since the last call. Throws as `read` does, once for each
   * change: a file that is being replaced changes again.
   */
  renewed(): TlsPair | undefined {
    const before = this.#appearance;
    this.#appearance = this.#look();
    return this.#appearance === before ? undefined : this.read();
  }

  #look(): string {
    return `${appearanceOf(this.#paths.cert)} ${appearanceOf(this.#paths.key)}`;
  }
}

function readPem(path: string): string {
  try {
    return readOwnFile(path, MAX_PEM_BYTES);
  } catch (cause) {
    throw new ClavigerError(
      "ConfigInvalid",
      `${path} of the AWS KMS API cannot be used: ${messageOf(cause)}`,
    );
  }
}
