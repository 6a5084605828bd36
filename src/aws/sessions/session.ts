/** A session of a principal: what its session token holds beside the secret. */
export interface Session {
  readonly accessKeyId: string;
  /** The name of the Kubernetes user. */
  readonly user: string;
  /** The groups of the user when the session began. */
  readonly groups: readonly string[];
  /** The name that the client gave the session. */
  readonly name: string;
  /** In epoch milliseconds, whole seconds. */
  readonly expiresAt: number;
}

/** The longest session, and the length of a session that asks for no other: AWS's default for a role. */
export const MAX_SESSION_SECONDS = 3_600;
