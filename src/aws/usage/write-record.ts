import { rename, writeFile } from "node:fs/promises";
import { ClavigerError, messageOf } from "../../errors.ts";

/**
 * Writes the record of a process. It is not synced: a power cut loses what a crash would lose, or the file. Throws
 * KeyringUnavailable if the disk refuses.
 */
export async function writeRecord(path: string, text: string): Promise<void> {
  const draft = `${path}.new`;
  try {
    await writeFile(draft, text, { mode: 0o600 });
    await rename(draft, path);
  } catch (cause) {
    const message = `${path} cannot be written: ${messageOf(cause)}; look at its disk and its folder's owner`;
    throw new ClavigerError("KeyringUnavailable", message, { cause });
  }
}
