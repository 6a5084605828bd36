import type { ErrorCode } from "../errors.ts";
import type { KeyringImage, VersionRow } from "../keyring/rows.ts";
import { type Problem, VersionTester } from "../operator/version-tester.ts";
import type { SealSource } from "../seal/seal-source.ts";

/** Why a version does not open here. */
export interface VersionFault {
  readonly versionId: string;
  readonly code: ErrorCode;
  readonly message: string;
}

/** Opens each version, tests it and checks its ownership proof. Those that fail, in order. */
export async function testVersions(
  versions: readonly VersionRow[],
  seals: SealSource,
): Promise<VersionFault[]> {
  const tester = new VersionTester(seals);
  const faults: VersionFault[] = [];
  for (const version of versions) {
    const fault = (await tester.fault(version)) ?? (await bindingFault(version, tester));
    if (fault === undefined) continue;
    const code = fault.reason === "SealMismatch" ? "SealMismatch" : "SealUnavailable";
    faults.push({ versionId: version.versionId, code, message: fault.message });
  }
  return faults;
}

/** A version of an older release has no proof: its owner is what the backup says. */
async function bindingFault(version: VersionRow, tester: VersionTester): Promise<Problem | undefined> {
  if (version.ownership === undefined || (await tester.isProven(version))) return undefined;
  const { number, keyId } = version;
  const message = `version ${number} of key ${keyId}: its owner or validTo is not what its ownership proof says: it was altered`;
  return { reason: "SealMismatch", message };
}

/** "1 key, 2 versions, 0 aliases" */
export const imageSummary = ({ keys, versions, aliases }: KeyringImage): string =>
  [counted(keys, "key"), counted(versions, "version"), counted(aliases, "alias", "aliases")].join(", ");

const counted = (rows: readonly unknown[], one: string, many = `${one}s`): string =>
  `${rows.length} ${rows.length === 1 ? one : many}`;
