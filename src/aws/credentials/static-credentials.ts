import { ClavigerError } from "../../errors.ts";
import { appearanceOf } from "../../files/file-appearance.ts";
import { MAX_PRINCIPAL_LENGTH } from "../../keyring/grant-row.ts";
import { type Caller, type CallerSite, callerOf } from "../caller.ts";
import type { CredentialName } from "../sigv4/signature-verifier.ts";
import { readCredentials, type StaticCredential } from "./credentials-file.ts";

/** A credential with the caller that it belongs to. */
export interface CallerCredential {
  readonly secret: StaticCredential["secret"];
  readonly caller: Caller;
}

export interface StaticCredentialsOptions extends CallerSite {
  readonly path: string;
}

/** The credentials of a file, read again when the file changes. */
export class StaticCredentials {
  readonly #options: StaticCredentialsOptions;
  #appearance: string;
  #credentials: ReadonlyMap<string, CallerCredential>;

  /** Reads the file. Throws ConfigInvalid. */
  constructor(options: StaticCredentialsOptions) {
    this.#options = options;
    this.#appearance = appearanceOf(options.path);
    this.#credentials = this.#read();
  }

  /** Finds the credential of an access key id. It has no session token, so that no request may have one. */
  find({ accessKeyId, sessionToken }: CredentialName): CallerCredential | undefined {
    return sessionToken === undefined ? this.#credentials.get(accessKeyId) : undefined;
  }

  /**
   * Reads the file again if it has changed. Throws ConfigInvalid for a file that cannot be used, once for each
   * change; the former credentials then stay.
   */
  renew(): void {
    const before = this.#appearance;
    this.#appearance = appearanceOf(this.#options.path);
    if (this.#appearance !== before) this.#credentials = this.#read();
  }

  #read(): ReadonlyMap<string, CallerCredential> {
    const credentials = [...readCredentials(this.#options.path).values()];
    return new Map(
      credentials.map((credential) => [
        credential.accessKeyId,
        { secret: credential.secret, caller: knownCaller(credential, this.#options) },
      ]),
    );
  }
}

function knownCaller(credential: StaticCredential, site: CallerSite): Caller {
  const { user } = credential;
  const caller = callerOf(credential, site);
  if (caller !== undefined) return caller;
  throw new ClavigerError(
    "ConfigInvalid",
    `user ${user} of the credentials has no ARN of at most ${MAX_PRINCIPAL_LENGTH} characters`,
  );
}
