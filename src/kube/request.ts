/** One call of the API server. */
export interface KubeRequest {
  readonly method: "GET" | "POST" | "PUT" | "PATCH" | "DELETE";
  readonly path: string;
  readonly query?: Readonly<Record<string, string>>;
  readonly body?: unknown;
  readonly contentType?: string;
  /** Media types; JSON if left out. What comes back is read as JSON in any case. */
  readonly accept?: string;
  readonly signal?: AbortSignal;
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
  /** After so many seconds the server ends the watch. One that it does not end is given up: nothing comes through. */
  readonly seconds: number;
  readonly signal: AbortSignal;
}
