import { setTimeout as sleep } from "node:timers/promises";
import { ClavigerError, messageOf } from "../../errors.ts";
import { KubeError } from "../../kube/kube-error.ts";

/** A clock and a way to wait. Tests have their own. */
export interface Pace {
  /** Returns milliseconds that never go backwards. */
  now(): number;
  /** Waits. Rejects when the signal aborts. */
  pause(milliseconds: number, signal: AbortSignal | undefined): Promise<void>;
}

export const realPace: Pace = {
  now: () => performance.now(),
  pause: (milliseconds, signal) => sleep(milliseconds, undefined, { ...(signal && { signal }) }),
};

export const POLL_MILLISECONDS = 500;
/** An API server that restarts is back within this time. */
export const OUTAGE_MILLISECONDS = 120_000;

interface Attempt<T> {
  /** Names the object that is read, for people. */
  readonly what: string;
  readonly read: () => Promise<T>;
  readonly say: (text: string) => void;
  readonly pace: Pace;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Reads, and retries while the API server does not answer. Throws errors that a retry cannot help at once,
 * and the last failure after two minutes.
 */
export async function readPatiently<T>({ what, read, say, pace, signal }: Attempt<T>): Promise<T> {
  const started = pace.now();
  for (;;) {
    try {
      return await read();
    } catch (error) {
      signal?.throwIfAborted();
      if (!mayPass(error)) throw error;
      const left = OUTAGE_MILLISECONDS - (pace.now() - started);
      if (left <= 0) throw unreadable(what, error);
      say(`${what} cannot be read and is tried again: ${messageOf(error)}`);
    }
    await pace.pause(POLL_MILLISECONDS, signal);
  }
}

/**
 * Returns true if the error may pass by itself: the API server is starting, is overloaded, or its authorizer
 * has not loaded its rules yet.
 */
function mayPass(error: unknown): boolean {
  if (error instanceof KubeError) {
    const { httpStatus } = error;
    return httpStatus >= 500 || [401, 403, 408, 429].includes(httpStatus);
  }
  return error instanceof ClavigerError && error.code === "ApiServer";
}

const unreadable = (what: string, cause: unknown): ClavigerError =>
  new ClavigerError(
    "ApiServer",
    `${what} could not be read for ${OUTAGE_MILLISECONDS / 1000} s: ${messageOf(cause)}`,
    { cause },
  );
