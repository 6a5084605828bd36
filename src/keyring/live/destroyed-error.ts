import { ClavigerError } from "../../errors.ts";
import { nameText } from "../../names.ts";
import type { TombstoneRow } from "../rows.ts";

/** Makes an error that says which version is gone, since when and why. */
export function destroyedError({ number, masterKey, destroyedAt, reason }: TombstoneRow): ClavigerError {
  const text = `version ${number} of MasterKey ${nameText(masterKey)} was destroyed on ${destroyedAt}: ${reason}`;
  return new ClavigerError("VersionDestroyed", text);
}
