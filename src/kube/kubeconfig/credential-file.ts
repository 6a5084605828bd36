import { messageOf } from "../../errors.ts";
import { readRegularFile } from "../../files/regular-file.ts";

/** A token or a bundle of certificate authorities is smaller. */
const MAX_FILE_BYTES = 4 * 1024 * 1024;

/** Reads a file that a kubeconfig names. Throws an Error that names the file. */
export function readSmall(path: string): Buffer {
  try {
    return readRegularFile(path, { maxBytes: MAX_FILE_BYTES });
  } catch (cause) {
    throw new Error(`${path}: ${messageOf(cause)}`);
  }
}
