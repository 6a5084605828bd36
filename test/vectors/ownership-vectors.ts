import { createHash } from "node:crypto";
import { type OwnershipText, ownershipStatement } from "../../src/seal/ownership.ts";
import { counting, flipped, hex, ids, saltOf } from "./inputs.ts";
import { idOf, sealWithAad } from "./seal-file-vectors.ts";

export const OWNERSHIP_ABOUT =
  "An ownership proof is a file seal, format 1, of the SHA-256 of the statement, with the statement as its AAD. " +
  "The statement is the canonical context of keyId, versionId, number, keySpec, keyUsage, origin, ownerNamespace, ownerName, " +
  "materialId and validTo (seconds; both empty where there is none) and revision.";

export interface OwnershipVector {
  readonly name: string;
  readonly outcome: "ok" | "NotProven";
  readonly rootKey: string;
  readonly rootKeyId: string;
  readonly text: OwnershipText;
  readonly revision: number;
  readonly salt: string;
  readonly proof: string;
}

const ROOT_KEY = counting(32, 0xa0);
const OTHER_ROOT_KEY = counting(32, 0x10);
const VALID_TO = Date.parse("2027-01-02T03:04:05Z");

const MADE: OwnershipText = {
  keyId: ids.key,
  versionId: ids.version,
  number: 1,
  keySpec: "SYMMETRIC_DEFAULT",
  keyUsage: "ENCRYPT_DECRYPT",
  origin: "AWS_KMS",
  masterKey: { namespace: "claviger-system", name: "secrets" },
};
const IMPORTED: OwnershipText = {
  ...MADE,
  origin: "EXTERNAL",
  materialId: "ab".repeat(32),
  validTo: VALID_TO,
};

export function ownershipVectors(): OwnershipVector[] {
  const stolen = { namespace: "tenant", name: "stolen" };
  return [
    proves("a version that claviger made belongs to its MasterKey", MADE, 1),
    proves("imported material has an end", IMPORTED, 2),
    proves("parts of a second do not count", { ...IMPORTED, validTo: VALID_TO + 999 }, 2),
    refuses("another owner", MADE, 1, { masterKey: stolen }),
    refuses("a namespace and a name that change places", MADE, 1, {
      masterKey: { namespace: "secrets", name: "claviger-system" },
    }),
    refuses("another key", MADE, 1, { keyId: ids.otherKey }),
    refuses("another version", MADE, 1, { versionId: ids.otherVersion }),
    refuses("another number", MADE, 1, { number: 2 }),
    refuses("another origin", MADE, 1, { origin: "EXTERNAL" }),
    refuses("a later end", IMPORTED, 2, { validTo: VALID_TO + 1000 }),
    refuses("other material", IMPORTED, 2, { materialId: "cd".repeat(32) }),
    { ...proves("another revision", MADE, 1), outcome: "NotProven", revision: 2 },
    { ...proves("another root key", MADE, 1), outcome: "NotProven", ...rootKey(OTHER_ROOT_KEY) },
    altered("an altered proof", -1),
    altered("an altered commitment", 60),
  ];
}

function proves(name: string, text: OwnershipText, revision: number): OwnershipVector {
  const statement = ownershipStatement(text, revision);
  const digest = createHash("sha256").update(statement).digest();
  const proof = sealWithAad(ROOT_KEY, statement, digest, saltOf(name));
  const salt = hex(saltOf(name));
  return { name, outcome: "ok", ...rootKey(ROOT_KEY), text, revision, salt, proof: hex(proof) };
}

const rootKey = (bytes: Uint8Array) => ({ rootKey: hex(bytes), rootKeyId: idOf(bytes) });

/** Checks the proof of `text` against a changed text. */
const refuses = (
  name: string,
  text: OwnershipText,
  revision: number,
  change: Partial<OwnershipText>,
): OwnershipVector => ({
  ...proves(`${name} is not proven`, text, revision),
  outcome: "NotProven",
  text: { ...text, ...change },
});

function altered(name: string, at: number): OwnershipVector {
  const vector = proves(name, MADE, 1);
  return { ...vector, outcome: "NotProven", proof: hex(flipped(Buffer.from(vector.proof, "hex"), at)) };
}
