import { parseKeyId, parseVersionId } from "../../crypto/ids.ts";
import { ClavigerError } from "../../errors.ts";
import { type FormerTarget, isLater, type KeyRow } from "../rows.ts";
import { isVersionNumber } from "../version-number.ts";

/**
 * Returns the former target if pointing the alias back to it would reuse an old key_id, that is, if that key
 * has not been rotated since the alias left it.
 */
export function leftAt(
  formerTargets: readonly FormerTarget[] | undefined,
  { keyId, current }: Pick<KeyRow, "keyId" | "current">,
): FormerTarget | undefined {
  const left = formerTargets?.find((former) => former.keyId === keyId);
  return left === undefined || (current !== undefined && isLater(current, left)) ? undefined : left;
}

/** Merges former targets. Each key occurs once, with the later version. */
export function mergeFormerTargets(
  targets: readonly FormerTarget[],
  more: readonly FormerTarget[],
): FormerTarget[] {
  const byKey = new Map(targets.map((target) => [target.keyId, target]));
  for (const target of more) {
    const known = byKey.get(target.keyId);
    if (known === undefined || isLater(target, known)) byKey.set(target.keyId, target);
  }
  return [...byKey.values()];
}

/** Formats former targets for the keyring's column: KEYID:NUMBER:VERSIONID, separated by spaces. */
export const formatFormerTargets = (targets: readonly FormerTarget[]): string =>
  targets.map(({ keyId, number, versionId }) => `${keyId}:${number}:${versionId}`).join(" ");

/** Parses that column. Throws InvalidArgument for a malformed id or number. */
export function parseFormerTargets(text: string): FormerTarget[] {
  return text
    .split(" ")
    .filter(Boolean)
    .map((entry) => {
      const [keyId = "", number = "", versionId = ""] = entry.split(":");
      if (!isVersionNumber(Number(number)))
        throw new ClavigerError("InvalidArgument", "a former target's number is none of a version");
      return { keyId: parseKeyId(keyId), number: Number(number), versionId: parseVersionId(versionId) };
    });
}
