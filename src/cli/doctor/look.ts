import { messageOf } from "../../errors.ts";

/** What was seen; or why it could not be, or is not there to be seen. */
export type Look<T> =
  | { readonly kind: "seen"; readonly value: T }
  | { readonly kind: "failed" | "absent"; readonly reason: string };

/** What a look gave, or why it failed. */
export async function look<T>(read: () => T | Promise<T>): Promise<Look<T>> {
  try {
    return { kind: "seen", value: await read() };
  } catch (error) {
    return { kind: "failed", reason: messageOf(error) };
  }
}

/** Nothing is to be seen, and that is no failure. */
export const absent = (reason: string): Look<never> => ({ kind: "absent", reason });
