import { createHash, createHmac } from "node:crypto";
import { decryptMessage, encryptMessage, parseMessage } from "../crypto/message.ts";
import { Secret } from "../crypto/secret.ts";
import { ClavigerError, codeOf, messageOf } from "../errors.ts";
import { unknownPart, unknownVersion } from "../keyring/codec.ts";
import type { VersionRow } from "../keyring/rows.ts";
import { isOwnershipProven, type Ownership, ownershipStatement } from "../seal/ownership.ts";
import { sealAad } from "../seal/seal.ts";
import type { SealSource } from "../seal/seal-source.ts";

/** Something of this node that does not work: a word for programs, a sentence for people. */
export interface Problem {
  readonly reason: string;
  readonly message: string;
}

/** Opens and tests versions, and their ownership proofs, before anybody relies on them: each of them once. */
export class VersionTester {
  readonly #seals: SealSource;
  /** Digests of what passed: only who has the root key can make more of them. */
  readonly #passed = new Set<string>();
  /** The same for ownership proofs. */
  readonly #proven = new Set<string>();

  constructor(seals: SealSource) {
    this.#seals = seals;
  }

  /** What is wrong with a version on this node, if anything. */
  async fault(version: VersionRow): Promise<Problem | undefined> {
    const unknown = unknownPart(version);
    if (unknown !== undefined) {
      return { reason: "UnknownVersion", message: unknownVersion(version, unknown).message };
    }
    const digest = digestOf(version);
    if (this.#passed.has(digest)) return undefined;
    try {
      using material = await this.#seals.unseal(version, version.sealed);
      testMaterial(version, material);
    } catch (error) {
      const code = codeOf(error);
      if (code !== "SealUnavailable" && code !== "SealMismatch") throw error;
      return { reason: code, message: messageOf(error) };
    }
    this.#passed.add(digest);
    return undefined;
  }

  /** Returns whether the version's ownership proof is this root key's, for this owner and validTo. Throws SealUnavailable. */
  async isProven(version: VersionRow): Promise<boolean> {
    const { ownership } = version;
    if (ownership === undefined) return false;
    const digest = proofDigest(version, ownership);
    if (this.#proven.has(digest)) return true;
    if (!(await isOwnershipProven(this.#seals, version, ownership))) return false;
    this.#proven.add(digest);
    return true;
  }
}

/** Of all that a proof says, and of the proof. */
function proofDigest(version: VersionRow, { revision, proof }: Ownership): string {
  return createHash("sha256")
    .update(ownershipStatement(version, revision))
    .update(`${proof.provider}:${proof.rootKeyId}\n`)
    .update(proof.blob)
    .digest("base64");
}

/** Of all that an opening depends on: the versionId alone would let a copy with another number pass. */
function digestOf(version: VersionRow): string {
  const { provider, rootKeyId, blob } = version.sealed;
  const sealedBy = `${provider}:${rootKeyId}\n`;
  return createHash("sha256").update(sealAad(version)).update(sealedBy).update(blob).digest("base64");
}

/** Throws SealMismatch where material does not do what its version is for. */
function testMaterial(version: VersionRow, material: Secret): void {
  if (version.keyUsage === "GENERATE_VERIFY_MAC") {
    createHmac("sha256", material.exposeSecretBytes()).update("test").digest();
    return;
  }
  const { keyId, versionId } = version;
  const scope = { keyId, versionId, material, purpose: "kms-v2", context: {} } as const;
  using probe = Secret.random(32);
  const opened = decryptMessage(scope, parseMessage(encryptMessage(scope, probe.exposeSecretBytes())));
  if (Buffer.compare(opened, probe.exposeSecretBytes()) !== 0) {
    throw new ClavigerError("SealMismatch", `version ${version.number} of key ${keyId} failed its self-test`);
  }
}
