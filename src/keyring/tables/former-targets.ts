import { parseKeyId, parseVersionId } from "../../crypto/ids.ts";
import { ClavigerError } from "../../errors.ts";
import { type FormerTarget, isLater, type KeyRow } from "../rows.ts";
import { isVersionNumber } from "../version-number.ts";

/**
 * Where an alias was when it left a key, if pointing to that key now would bring
 * its key_id back: the key's current version is no later one.
 */
export function leftAt(
  formerTargets: readonly FormerTarget[] | undefined,
  { keyId, current }: Pick<KeyRow, "keyId" | "current">,
): FormerTarget | undefined {
  const left = formerTargets?.find((former) => former.keyId === keyId);
  return left === undefined || (current !== undefined && isLater(current, left)) ? undefined : left;
}

/** Each key once, with the latest version of both. */
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

/** As the keyring's column has them: KEYID:NUMBER:VERSIONID, with spaces between. */
export const formatFormerTargets = (targets: readonly FormerTarget[]): string =>
  targets.map(({ keyId, number, versionId }) => `${keyId}:${number}:${versionId}`).join(" ");

/** Throws InvalidArgument if an id or a number is none. */
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
