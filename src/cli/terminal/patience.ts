import { setTimeout as sleep } from "node:timers/promises";
import { ClavigerError, messageOf } from "../../errors.ts";
import { KubeError } from "../../kube/kube-error.ts";

/** How what is waited for passes; tests have one of their own. */
export interface Pace {
  /** In milliseconds, never backwards. */
  now(): number;
  /** Rejects when the signal aborts. */
  pause(milliseconds: number, signal: AbortSignal | undefined): Promise<void>;
}

export const realPace: Pace = {
  now: () => performance.now(),
  pause: (milliseconds, signal) => sleep(milliseconds, undefined, { ...(signal && { signal }) }),
};

export const POLL_MILLISECONDS = 500;
/** An API server that restarts is back by then. */
export const OUTAGE_MILLISECONDS = 120_000;

interface Attempt<T> {
  /** What is read, for people. */
  readonly what: string;
  readonly read: () => Promise<T>;
  readonly say: (text: string) => void;
  readonly pace: Pace;
  readonly signal?: AbortSignal | undefined;
}

/** Reads, again and again while the API server does not answer. Throws what helps no more, and the last failure after two minutes. */
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

/** An API server that starts or is overloaded, or whose authorizer does not know its rules yet, may answer later. */
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
