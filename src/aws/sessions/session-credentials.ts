import { randomBytes } from "node:crypto";
import type { VersionId } from "../../crypto/ids.ts";
import { Secret } from "../../crypto/secret.ts";
import { putNewest } from "../../put-newest.ts";
import { type Caller, type CallerSite, callerOf } from "../caller.ts";
import type { CredentialName } from "../sigv4/signature-verifier.ts";
import type { Session } from "./session.ts";
import type { SessionKeys } from "./session-keys.ts";
import { openSession, parseSessionToken, sealSession } from "./session-token.ts";

/** The credential of a session, for its client. */
export interface IssuedCredential {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken: string;
}

/** A session's credential, for the verification of signatures. */
export interface SessionCredential {
  readonly secret: Secret;
  readonly expiresAt: number;
  readonly caller: Caller;
}

interface Opened {
  readonly versionId: VersionId;
  readonly accessKeyId: string;
  readonly credential: SessionCredential;
}

/** Sessions whose tokens were opened, so that each of their requests is not opened again. */
const MOST_OPENED = 1_000;
const SECRET_BYTES = 30;
const ID_LENGTH = 16;
const BASE32 = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

/**
 * Issues and finds the credentials of sessions. No node stores a session: its token holds it, sealed, so every
 * node that has the key finds the credential, and a restart loses none.
 */
export class SessionCredentials {
  readonly #keys: Pick<SessionKeys, "current" | "find">;
  readonly #site: CallerSite;
  readonly #opened = new Map<string, Opened>();

  constructor(keys: Pick<SessionKeys, "current" | "find">, site: CallerSite) {
    this.#keys = keys;
    this.#site = site;
  }

  /** Issues the credential of a session. Throws ClavigerError if there is no key for it. */
  async issue(session: Omit<Session, "accessKeyId">, now: number): Promise<IssuedCredential> {
    const key = await this.#keys.current(now);
    const accessKeyId = newAccessKeyId();
    const secretAccessKey = randomBytes(SECRET_BYTES).toString("base64");
    using secret = Secret.take(Buffer.from(secretAccessKey));
    const sessionToken = sealSession(key, this.#site.account, { ...session, accessKeyId, secret });
    return { accessKeyId, secretAccessKey, sessionToken };
  }

  /**
   * Finds the credential of a session by its access key id and token. Returns undefined if the token was not
   * issued here with this id, or if its key must not be used. An expired credential is found too.
   */
  async find(
    { accessKeyId, sessionToken }: CredentialName,
    now: number,
  ): Promise<SessionCredential | undefined> {
    if (sessionToken === undefined) return undefined;
    const known = this.#opened.get(sessionToken);
    const opened = known ?? (await this.#open(sessionToken, now));
    if (opened?.accessKeyId !== accessKeyId) return undefined;
    // The key may have been disabled or destroyed since.
    if (known !== undefined && (await this.#keys.find(known.versionId, now)) === undefined) return undefined;
    putNewest(this.#opened, sessionToken, opened, MOST_OPENED);
    return opened.credential;
  }

  async #open(sessionToken: string, now: number): Promise<Opened | undefined> {
    const message = parseSessionToken(sessionToken);
    if (message === undefined) return undefined;
    const { versionId } = message;
    const key = await this.#keys.find(versionId, now);
    const session = key && openSession(key, this.#site.account, message);
    if (session === undefined) return undefined;
    const caller = callerOf(session, this.#site);
    const { accessKeyId, secret, expiresAt } = session;
    if (caller === undefined) return undefined;
    const credential = { secret, expiresAt, caller: { ...caller, session: session.name } };
    return { versionId, accessKeyId, credential };
  }
}

/** Returns an id of the form that AWS gives temporary credentials. */
const newAccessKeyId = (): string =>
  `ASIA${[...randomBytes(ID_LENGTH)].map((byte) => BASE32[byte % BASE32.length]).join("")}`;
