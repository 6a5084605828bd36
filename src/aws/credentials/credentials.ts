import type { SessionCredentials } from "../sessions/session-credentials.ts";
import type { CredentialName } from "../sigv4/signature-verifier.ts";
import type { CallerCredential, StaticCredentials } from "./static-credentials.ts";

/** The credentials that callers may sign with: those of a file, and those of sessions. */
export class Credentials {
  readonly #fixed: Pick<StaticCredentials, "find"> | undefined;
  readonly #sessions: Pick<SessionCredentials, "find"> | undefined;

  constructor(
    fixed: Pick<StaticCredentials, "find"> | undefined,
    sessions: Pick<SessionCredentials, "find"> | undefined,
  ) {
    this.#fixed = fixed;
    this.#sessions = sessions;
  }

  /** Finds a credential: that of a session if there is a session token, else one of the file. */
  find(
    name: CredentialName,
    now: number,
  ): CallerCredential | undefined | Promise<CallerCredential | undefined> {
    return name.sessionToken === undefined ? this.#fixed?.find(name) : this.#sessions?.find(name, now);
  }
}
