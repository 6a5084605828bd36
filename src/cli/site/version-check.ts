import type { ErrorCode } from "../../errors.ts";
import type { KeyringImage, VersionRow } from "../../keyring/rows.ts";
import { VersionTester } from "../../keys/version-tester.ts";
import { nameText } from "../../names.ts";
import type { SealSource } from "../../seal/seal-source.ts";

/** The reason why a version does not open here. */
export interface VersionFault {
  readonly versionId: string;
  readonly code: ErrorCode;
  readonly message: string;
}

/** Opens each version and tests it. Returns those that fail, in order. */
export async function testVersions(
  versions: readonly VersionRow[],
  seals: SealSource,
): Promise<VersionFault[]> {
  const tester = new VersionTester(seals);
  const faults: VersionFault[] = [];
  for (const version of versions) {
    const fault = await tester.fault(version);
    if (fault === undefined) continue;
    const code = fault.reason === "SealMismatch" ? "SealMismatch" : "SealUnavailable";
    faults.push({ versionId: version.versionId, code, message: fault.message });
  }
  return faults;
}

/**
 * Removes ownership proofs that do not fit from the versions. Material that opens is never left out because
 * of its owner's name or validTo. `stripped` names those versions for people.
 */
export async function withoutFalseProofs(
  versions: readonly VersionRow[],
  seals: SealSource,
): Promise<{ readonly versions: VersionRow[]; readonly stripped: readonly string[] }> {
  const tester = new VersionTester(seals);
  const kept: VersionRow[] = [];
  const stripped: string[] = [];
  for (const version of versions) {
    const { ownership, ...unproven } = version;
    if (ownership === undefined || (await tester.isProven(version))) kept.push(version);
    else {
      kept.push(unproven);
      stripped.push(`version ${version.number} of MasterKey ${nameText(version.masterKey)}`);
    }
  }
  return { versions: kept, stripped };
}

/** "1 key, 2 versions, 0 aliases" */
export const imageSummary = ({ keys, versions, aliases }: KeyringImage): string =>
  [counted(keys, "key"), counted(versions, "version"), counted(aliases, "alias", "aliases")].join(", ");

const counted = (rows: readonly unknown[], one: string, many = `${one}s`): string =>
  `${rows.length} ${rows.length === 1 ? one : many}`;
