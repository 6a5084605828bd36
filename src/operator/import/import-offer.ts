import { createHash } from "node:crypto";
import type { WrappingAlgorithm } from "../../crypto/import-wrapping.ts";
import type { ImportSpec } from "../../resources/schemas/import.ts";
import { parseTime, rfc3339 } from "../../times.ts";

/** Wrapped material in spec.import. */
export interface Offer {
  /** Identifies this offer. The same material with another requestToken is another offer. */
  readonly digest: string;
  readonly wrappedMaterial: string;
  readonly wrappingAlgorithm: WrappingAlgorithm;
  readonly importToken: string;
  readonly importType?: NonNullable<ImportSpec["importType"]>;
  /**
   * RFC 3339 in UTC and whole seconds; a malformed time is unchanged, to be refused later. Absent if the
   * material does not expire.
   */
  readonly validTo?: string;
}

/**
 * Returns the offer in spec.import, if it has material. The schema has checked that the fields belong
 * together.
 */
export function offerOf(spec: Partial<ImportSpec> | undefined): Offer | undefined {
  if (spec === undefined) return undefined;
  const { requestToken, wrappedMaterial, wrappingAlgorithm, importToken, importType, validTo } = spec;
  if (wrappedMaterial === undefined || wrappingAlgorithm === undefined || importToken === undefined) {
    return undefined;
  }
  return {
    digest: digestOf([requestToken, wrappedMaterial, wrappingAlgorithm, importToken, importType, validTo]),
    wrappedMaterial,
    wrappingAlgorithm,
    importToken,
    ...(importType !== undefined && { importType }),
    ...(validTo !== undefined && { validTo: normalized(validTo) }),
  };
}

/** Returns a hash of ciphertext and public words, which says nothing about the material. */
const digestOf = (parts: readonly (string | undefined)[]): string =>
  createHash("sha256").update(JSON.stringify(parts)).digest("hex");

/**
 * Converts to UTC and whole seconds, as every node will read it. A malformed time is returned unchanged, to
 * be refused.
 */
function normalized(validTo: string): string {
  const time = parseTime(validTo);
  return time === undefined ? validTo : rfc3339(new Date(time));
}
