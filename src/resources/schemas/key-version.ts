import { KEY_SPECS, KEY_USAGES, ORIGINS } from "../../crypto/key-specs.ts";
import { deletionStatus, destroyedSpec, sealedOrDestroyed } from "./deletion.ts";
import { objectName, trigger, unchanged, uuid } from "./fields.ts";
import { materialId } from "./import.ts";
import { expiresIfImported, ownershipSpec } from "./ownership.ts";
import { kmsKeyId } from "./reencryption.ts";
import * as s from "./schema.ts";

export const keyVersionSpec = s.object(
  "One version's sealed material. Written by claviger; immutable but for validTo, the ownership proof, the seal, and what takes its place.",
  {
    masterKey: s.object("The MasterKey that it belongs to.", {
      namespace: objectName("Its namespace."),
      name: objectName("Its name."),
    }),
    keyId: uuid("The keyId of that MasterKey."),
    number: s.versionNumber("The version's number, from 1."),
    versionId: uuid("The version's id."),
    keySpec: s.oneOf("The kind of material.", KEY_SPECS),
    keyUsage: s.oneOf("What it may do.", KEY_USAGES),
    origin: s.oneOf("Where it came from.", ORIGINS),
    materialId: s.optional(materialId()),
    validTo: s.optional(s.time("Until when imported material may be used.")),
    seal: s.optional(
      s.object("The material, sealed under a root key that only the nodes have.", {
        provider: s.string("The seal that made it.", { maxLength: 63 }),
        rootKeyId: s.string("Which root key opens it. Not secret.", { maxLength: 256 }),
        sealed: s.string("The sealed bytes.", { format: "byte", maxLength: 16384 }),
      }),
    ),
    ownership: s.optional(ownershipSpec),
    destroyed: s.optional(destroyedSpec),
  },
  {
    rules: [
      ...["masterKey", "keyId", "number", "versionId", "keySpec", "keyUsage", "origin"].map(unchanged),
      {
        cel: "has(self.materialId) == has(oldSelf.materialId) && (!has(self.materialId) || self.materialId == oldSelf.materialId)",
        message: "materialId is immutable",
        holds: (self, old) => old === undefined || self.materialId === old.materialId,
      },
      expiresIfImported,
      sealedOrDestroyed,
    ],
  },
);

export const keyVersionStatus = s.object("The state of the version.", {
  state: s.optional(
    s.oneOf(
      "Pending: on its way to the nodes. Current: encrypts. Retired: still decrypts. Destroyed: a tombstone.",
      ["Pending", "Current", "Retired", "Destroyed"],
    ),
  ),
  trigger: s.optional(trigger()),
  promotedAt: s.optional(s.time("When it became current.")),
  retiredAt: s.optional(s.time("When a later one became current.")),
  kmsKeyId: s.optional(kmsKeyId()),
  deletion: s.optional(deletionStatus),
  erasedAt: s.optional(
    s.time("When every node had erased it from its keyring; only for a destroyed version."),
  ),
});

export type KeyVersionSpec = s.Infer<typeof keyVersionSpec>;
export type KeyVersionStatus = s.Infer<typeof keyVersionStatus>;
