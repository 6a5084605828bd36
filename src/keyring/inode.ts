import { statSync } from "node:fs";
import { ClavigerError, messageOf } from "../errors.ts";

/**
 * Returns a number that tells a file from another file at the same path, or undefined if there is none.
 * Throws KeyringUnavailable.
 */
export function inodeOf(path: string): number | undefined {
  try {
    return statSync(path, { throwIfNoEntry: false })?.ino;
  } catch (cause) {
    throw new ClavigerError(
      "KeyringUnavailable",
      `keyring ${path} cannot be reached: ${messageOf(cause)}; let this process's user into its folder`,
      { cause },
    );
  }
}
