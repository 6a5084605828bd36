import type { KmsKeyId } from "../../crypto/ids.ts";
import { ClavigerError } from "../../errors.ts";
import { isLater } from "../../keyring/rows.ts";
import type { CurrentVersion } from "../../keys/find-key.ts";
import { type KeyRef, keyRefText, nameText } from "../../names.ts";

/** A provider that looks at a new current version. */
export interface ObservedProvider {
  readonly name: string;
  readonly ref: KeyRef;
  readonly served: CurrentVersion | undefined;
  /** The key_ids that were served before that one. */
  readonly left: ReadonlySet<KmsKeyId>;
  /** True if the provider may start with imported material. */
  readonly mayBeImported: boolean;
}

/** Returns why a provider must not begin to serve `next`; undefined if it may, once the version has passed its self-test. */
export const servingObstacle = (
  provider: ObservedProvider,
  next: CurrentVersion,
): ClavigerError | undefined =>
  goingBack(provider, next) ?? importedMaterial(provider, next) ?? unfitKeySpec(provider, next);

/**
 * A key_id never returns, even if an old copy of the keyring is put back or an alias is pointed
 * back: the API server would take new data for stale.
 */
function goingBack(
  { served, left }: ObservedProvider,
  { version, kmsKeyId }: CurrentVersion,
): ClavigerError | undefined {
  if (served === undefined) return undefined;
  const earlier = served.version.keyId === version.keyId && isLater(served.version, version);
  if (!earlier && !left.has(kmsKeyId)) return undefined;
  return new ClavigerError(
    "KeyringCorrupt",
    `keyring.db or an alias went back from version ${served.version.number} to version ${version.number} (key_id ${kmsKeyId}):` +
      ` the plugin continues to serve version ${served.version.number} (key_id ${served.kmsKeyId}), because a key_id must never return`,
  );
}

function importedMaterial(
  { name, ref, mayBeImported }: ObservedProvider,
  { version }: CurrentVersion,
): ClavigerError | undefined {
  if (mayBeImported || version.origin !== "EXTERNAL") return undefined;
  return new ClavigerError(
    "ConfigInvalid",
    `provider ${name} serves ${keyRefText(ref)}, and the material of MasterKey ${nameText(version.masterKey)} is imported:` +
      " set allowImported to true on the provider, on every node, if whoever imported the material may know the key",
  );
}

const unfitKeySpec = ({ name }: ObservedProvider, { version }: CurrentVersion): ClavigerError | undefined =>
  version.keySpec === "SYMMETRIC_DEFAULT"
    ? undefined
    : new ClavigerError(
        "ConfigInvalid",
        `provider ${name} names a ${version.keySpec} key; KMS v2 needs SYMMETRIC_DEFAULT`,
      );
