/** One call of the API server. */
export interface KubeRequest {
  readonly method: "GET" | "POST" | "PUT" | "PATCH" | "DELETE";
  readonly path: string;
  readonly query?: Readonly<Record<string, string>>;
  readonly body?: unknown;
  readonly contentType?: string;
  /** Accepted media types; JSON if left out. The answer is parsed as JSON in any case. */
  readonly accept?: string;
  /** The user as whom the call is made, if the client's own user may act as this user. */
  readonly impersonate?: ImpersonatedUser;
  readonly signal?: AbortSignal;
}

/** A user of Kubernetes. The names fit into headers, and neither begin nor end with a space. */
export interface ImpersonatedUser {
  readonly user: string;
  readonly groups: readonly string[];
}

/** A server-side apply of one object or subresource. */
export interface ApplyRequest {
  readonly path: string;
  readonly object: object;
  readonly fieldManager: string;
  readonly signal?: AbortSignal;
}

/** A watch of one collection, and for how long. */
export interface WatchCall {
  readonly path: string;
  readonly query: Readonly<Record<string, string>>;
  /**
   * The server ends the watch after this many seconds. If it does not, the watch is given up, because its
   * connection is dead.
   */
  readonly seconds: number;
  readonly signal: AbortSignal;
}
