import { WRAPPING_ALGORITHMS, WRAPPING_KEY_SPECS } from "../../crypto/import-wrapping.ts";
import * as s from "./schema.ts";

/** AWS KMS's names for the type of an import and its expiry (ImportKeyMaterial). */
const IMPORT_TYPES = ["NEW_KEY_MATERIAL", "EXISTING_KEY_MATERIAL"] as const;
const EXPIRATION_MODELS = ["KEY_MATERIAL_EXPIRES", "KEY_MATERIAL_DOES_NOT_EXPIRE"] as const;

/**
 * A pattern and not format "byte": if a CEL rule is above a field of that format, the API server reads the
 * field as base64 for URLs, and refuses + and /.
 */
const BASE64 = "^([A-Za-z0-9+/]{4})*([A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$";
/** RSA-4096 and the longest material, an RSA-4096 key: 3,040 bytes, 4,056 in base64. */
const wrapped = (description: string) => s.string(description, { pattern: BASE64, maxLength: 4096 });
const token = (description: string) => s.string(description, { pattern: BASE64, maxLength: 8192 });
const TOGETHER = ["wrappedMaterial", "wrappingAlgorithm", "importToken"] as const;

/** The fields of a MasterKey for somebody who brings their own material. */
export const importSpec = s.object(
  "Key material to import, or to delete. It is processed once; claviger import removes it afterwards.",
  {
    requestToken: s.optional(
      s.string("Any text; a new one asks for a public key and token in status.import.", { maxLength: 64 }),
    ),
    wrappingKeySpec: s.oneOf("The size of the public key in status.import.", WRAPPING_KEY_SPECS, {
      default: "RSA_4096",
    }),
    importType: s.optional(
      s.oneOf(
        "NEW_KEY_MATERIAL: the key rotates to the material. EXISTING_KEY_MATERIAL: the key had it before. If left out, new for a key without material, otherwise existing.",
        IMPORT_TYPES,
      ),
    ),
    wrappedMaterial: s.optional(wrapped("The material, wrapped under the public key of status.import.")),
    wrappingAlgorithm: s.optional(s.oneOf("How it was wrapped.", WRAPPING_ALGORITHMS)),
    importToken: s.optional(token("The import token that came with that public key.")),
    expirationModel: s.oneOf("Whether the material is refused from validTo on.", EXPIRATION_MODELS, {
      default: "KEY_MATERIAL_DOES_NOT_EXPIRE",
    }),
    validTo: s.optional(s.time("Until when the material may be used; at most 365 days from the import.")),
    deleteMaterialId: s.optional(
      materialId(
        "The materialId of material to delete: from now on nothing uses it, until the same material is imported again. Refused for a key that an API server uses.",
      ),
    ),
    withoutCensus: s.optional(
      s.boolean(
        "true, beside deleteMaterialId: continues if claviger has no etcd in which to count the objects under the key. You then vouch that nothing stored needs it.",
      ),
    ),
  },
  {
    rules: [
      {
        cel: "!has(self.deleteMaterialId) || !has(self.wrappedMaterial)",
        message: "import either has material to import or deletes material with deleteMaterialId",
        holds: (self) => self.deleteMaterialId === undefined || self.wrappedMaterial === undefined,
      },
      {
        cel: "(self.expirationModel == 'KEY_MATERIAL_EXPIRES') == has(self.validTo)",
        message: "validTo goes with expirationModel KEY_MATERIAL_EXPIRES, and with no other",
        holds: (self) => (self.expirationModel === "KEY_MATERIAL_EXPIRES") === (self.validTo !== undefined),
      },
      {
        cel: "has(self.wrappedMaterial) == has(self.importToken) && has(self.wrappedMaterial) == has(self.wrappingAlgorithm)",
        message: "wrappedMaterial, wrappingAlgorithm and importToken go together",
        holds: (self) => new Set(TOGETHER.map((field) => self[field] !== undefined)).size === 1,
      },
    ],
  },
);

/** claviger's answer. */
export const importStatus = s.object("Importing material of one's own.", {
  requestToken: s.optional(s.string("The last requestToken that was answered.", { maxLength: 64 })),
  publicKey: s.optional(
    s.string("What to wrap the material under: PEM, while an import is awaited.", { maxLength: 2048 }),
  ),
  importToken: s.optional(token("What to send along: opaque, and bound to this key and public key.")),
  algorithms: s.optional(
    s.array("The wrapping algorithms.", s.oneOf("An algorithm.", WRAPPING_ALGORITHMS), {
      listType: "set",
      maxItems: 8,
    }),
  ),
  validTo: s.optional(s.time("Until when public key and token are good.")),
  processed: s.optional(
    s.object(
      "The last import or deletion of material that was accepted or refused; the condition Imported says which.",
      {
        digest: s.string("Identifies the spec.import that was processed.", { maxLength: 64 }),
        requestToken: s.optional(s.string("Its requestToken.", { maxLength: 64 })),
        number: s.optional(s.versionNumber("The version of the material.")),
        materialId: s.optional(materialId()),
      },
    ),
  ),
});

/** A name of imported material within its key. */
export function materialId(
  description = "Identifies this material among the material of its key. Not secret.",
) {
  return s.string(description, {
    pattern: "^[0-9a-f]{64}$",
    maxLength: 64,
  });
}

export type ImportSpec = s.Infer<typeof importSpec>;
export type ImportStatus = s.Infer<typeof importStatus>;

/** A merge patch that leaves nothing of an earlier import. */
const NOTHING: Readonly<Record<keyof ImportSpec, null>> = {
  requestToken: null,
  wrappingKeySpec: null,
  importType: null,
  wrappedMaterial: null,
  wrappingAlgorithm: null,
  importToken: null,
  expirationModel: null,
  validTo: null,
  deleteMaterialId: null,
  withoutCensus: null,
};

/** Returns the merge patch that replaces spec.import as a whole. */
export const importPatch = (spec: Partial<ImportSpec>) => ({ ...NOTHING, ...spec });
