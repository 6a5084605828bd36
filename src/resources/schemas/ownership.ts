import * as s from "./schema.ts";

/** KeyVersion.spec.ownership. */
export const ownershipSpec = s.object(
  "Proof, made with the root key, of the MasterKey that the version belongs to and of its validTo. Nodes believe neither without it.",
  {
    revision: s.integer("Counts the version's proofs: a later one replaces an earlier one.", {
      minimum: 1,
      maximum: 1_000_000_000,
    }),
    provider: s.string("The seal that made it.", { maxLength: 63 }),
    rootKeyId: s.string("Which root key opens it. Not secret.", { maxLength: 256 }),
    sealed: s.string("The sealed bytes.", { format: "byte", maxLength: 16384 }),
  },
);

export type OwnershipSpec = s.Infer<typeof ownershipSpec>;

/** Generated material is valid for as long as the key is. */
export const expiresIfImported: s.Rule = {
  cel: "!has(self.validTo) || self.origin == 'EXTERNAL'",
  message: "validTo is for imported material only",
  holds: (self) => self.validTo === undefined || self.origin === "EXTERNAL",
};

/**
 * A MasterKey whose keyId could change could be pointed at another MasterKey's material. This is a rule of
 * the whole object, because a rule of status alone would not see that status was removed.
 */
export const keyIdNeverChanges: s.Rule = {
  cel: "!has(oldSelf.status) || !has(oldSelf.status.keyId) || (has(self.status) && has(self.status.keyId) && self.status.keyId == oldSelf.status.keyId)",
  message: "status.keyId is immutable once it is set: delete the MasterKey and create it again",
  holds: (self, old) => keyIdIn(old) === undefined || keyIdIn(self) === keyIdIn(old),
};

const keyIdIn = (object: { readonly [field: string]: unknown } | undefined): unknown =>
  (object?.status as { readonly keyId?: unknown } | undefined)?.keyId;
