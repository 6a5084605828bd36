import { parseKeyId, parseVersionId } from "../crypto/ids.ts";
import { ClavigerError } from "../errors.ts";
import type { VersionIdentity, VersionRow } from "../keyring/rows.ts";
import { nameText } from "../names.ts";
import type { Ownership } from "../seal/ownership.ts";
import { parseTime, rfc3339 } from "../times.ts";
import type { KeyVersion } from "./resources.ts";
import type { OwnershipSpec } from "./schemas/ownership.ts";

/** Returns the fields of a KeyVersion that its seal does not bind, as this node has them. */
export const bindingOf = ({ validTo, ownership }: Pick<VersionRow, "validTo" | "ownership">): Binding => ({
  ...(validTo !== undefined && { validTo: rfc3339(new Date(validTo)) }),
  ...(ownership !== undefined && { ownership: toOwnershipSpec(ownership) }),
});

/** Returns a KeyVersion's usual name. */
export const keyVersionName = ({ keyId, number }: Pick<KeyVersion["spec"], "keyId" | "number">): string =>
  `${keyId}-${number}`;

/** A cache of rows by spec, because each pass looks at every version several times. */
const known = new WeakMap<KeyVersion["spec"], VersionRow>();

/** Returns a KeyVersion's row. Throws Internal for a tombstone, which has no material: see `hasMaterial`. */
export function toVersionRow({ spec }: Pick<KeyVersion, "spec">): VersionRow {
  const before = known.get(spec);
  if (before !== undefined) return before;
  const row = readVersionSpec(spec);
  known.set(spec, row);
  return row;
}

function readVersionSpec(spec: KeyVersion["spec"]): VersionRow {
  if (spec.seal === undefined) throw new ClavigerError("Internal", `version ${spec.versionId} has no seal`);
  const validTo = parseTime(spec.validTo);
  return {
    ...identityOf(spec),
    sealed: {
      provider: spec.seal.provider,
      rootKeyId: spec.seal.rootKeyId,
      blob: Buffer.from(spec.seal.sealed, "base64"),
    },
    ...(spec.materialId !== undefined && { materialId: spec.materialId }),
    // Generated material does not expire, whoever wrote a date there.
    ...(validTo !== undefined && spec.origin === "EXTERNAL" && { validTo }),
    ...(spec.ownership !== undefined && { ownership: toOwnership(spec.ownership) }),
  };
}

const toOwnership = ({ revision, provider, rootKeyId, sealed }: OwnershipSpec): Ownership => ({
  revision,
  proof: { provider, rootKeyId, blob: Buffer.from(sealed, "base64") },
});

/** KeyVersion.spec.ownership. */
export const toOwnershipSpec = ({ revision, proof }: Ownership): OwnershipSpec => ({
  revision,
  provider: proof.provider,
  rootKeyId: proof.rootKeyId,
  sealed: Buffer.from(proof.blob).toString("base64"),
});

/** Returns the identity of a KeyVersion, tombstones included. */
export const identityOf = (spec: KeyVersion["spec"]): VersionIdentity => ({
  versionId: parseVersionId(spec.versionId),
  keyId: parseKeyId(spec.keyId),
  number: spec.number,
  masterKey: spec.masterKey,
  keySpec: spec.keySpec,
  keyUsage: spec.keyUsage,
  origin: spec.origin,
});

/** Returns the spec of the KeyVersion of a row: the fields of its definition, whatever else the row's object has. */
export function toKeyVersionSpec(version: VersionRow): KeyVersion["spec"] & { readonly seal: Seal } {
  const { versionId, keyId, number, masterKey, keySpec, keyUsage, origin } = version;
  const { materialId, sealed, validTo, ownership } = version;
  return {
    ...{ versionId, keyId, number, masterKey, keySpec, keyUsage, origin },
    ...(materialId !== undefined && { materialId }),
    ...(ownership !== undefined && { ownership: toOwnershipSpec(ownership) }),
    ...(validTo !== undefined && { validTo: rfc3339(new Date(validTo)) }),
    seal: {
      provider: sealed.provider,
      rootKeyId: sealed.rootKeyId,
      sealed: Buffer.from(sealed.blob).toString("base64"),
    },
  };
}

/**
 * Returns true if one sealed blob can open as either, because their seals are bound to the same data
 * (seal.ts).
 */
export function sameBinding(a: VersionRow, b: VersionRow): boolean {
  return (
    a.versionId === b.versionId &&
    a.keyId === b.keyId &&
    a.number === b.number &&
    a.keySpec === b.keySpec &&
    a.keyUsage === b.keyUsage
  );
}

/** Returns true if two rows are the same version, including the fields that its seal does not bind. */
export function sameIdentity(a: VersionRow, b: VersionRow): boolean {
  return (
    sameBinding(a, b) &&
    a.origin === b.origin &&
    a.materialId === b.materialId &&
    nameText(a.masterKey) === nameText(b.masterKey)
  );
}

export function sameSeal(a: VersionRow, b: VersionRow): boolean {
  return (
    a.sealed.provider === b.sealed.provider &&
    a.sealed.rootKeyId === b.sealed.rootKeyId &&
    Buffer.compare(a.sealed.blob, b.sealed.blob) === 0
  );
}

export type Seal = NonNullable<KeyVersion["spec"]["seal"]>;

/**
 * The fields of a KeyVersion's spec that its seal does not bind and that may change. A field that is left out
 * is removed.
 */
export type Binding = Pick<KeyVersion["spec"], "validTo" | "ownership">;
