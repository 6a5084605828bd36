import { createHash } from "node:crypto";
import type { WrappingAlgorithm } from "../../crypto/import-wrapping.ts";
import type { ImportSpec } from "../../resources/schemas/import.ts";
import { parseTime, rfc3339 } from "../../times.ts";

/** Wrapped material that somebody put into spec.import. */
export interface Offer {
  /** Tells this offer from another one; with another requestToken it is another one. */
  readonly digest: string;
  readonly wrappedMaterial: string;
  readonly wrappingAlgorithm: WrappingAlgorithm;
  readonly importToken: string;
  readonly importType?: NonNullable<ImportSpec["importType"]>;
  /** As Kubernetes writes times; absent where the material does not expire. */
  readonly validTo?: string;
}

/** What spec.import offers, if it offers material. The schema has checked that the fields go together. */
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

/** A hash of ciphertext and public words: it says nothing of the material. */
const digestOf = (parts: readonly (string | undefined)[]): string =>
  createHash("sha256").update(JSON.stringify(parts)).digest("hex");

/** In UTC and whole seconds, as every node then reads it. What is no time is left as it is, to be refused. */
function normalized(validTo: string): string {
  const time = parseTime(validTo);
  return time === undefined ? validTo : rfc3339(new Date(time));
}
