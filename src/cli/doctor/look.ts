import { messageOf } from "../../errors.ts";

/** An observation, or the reason why it failed or why there is nothing to observe. */
export type Look<T> =
  | { readonly kind: "seen"; readonly value: T }
  | { readonly kind: "failed" | "absent"; readonly reason: string };

/** Runs an observation and returns its result, or the reason why it failed. */
export async function look<T>(read: () => T | Promise<T>): Promise<Look<T>> {
  try {
    return { kind: "seen", value: await read() };
  } catch (error) {
    return { kind: "failed", reason: messageOf(error) };
  }
}

/** Returns a look that found nothing to observe, which is no failure. */
export const absent = (reason: string): Look<never> => ({ kind: "absent", reason });
