import { testMaterial } from "../crypto/key-specs.ts";
import type { Secret } from "../crypto/secret.ts";
import { ClavigerError } from "../errors.ts";
import type { VersionRow } from "../keyring/rows.ts";

/**
 * Uses a version's material once, as its key spec allows, before anybody relies on it: an Encrypt
 * that no Decrypt could open would lose data. Throws SealMismatch if the result is wrong.
 */
export function selfTest(
  version: Pick<VersionRow, "keyId" | "versionId" | "number" | "keySpec" | "keyUsage">,
  material: Secret,
): void {
  if (testMaterial(version.keySpec, version, material)) return;
  const { number, keyId } = version;
  throw new ClavigerError("SealMismatch", `version ${number} of key ${keyId} failed its self-test`);
}
