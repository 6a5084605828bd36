import { createHash } from "node:crypto";
import { codeOf, messageOf } from "../errors.ts";
import type { VersionRow } from "../keyring/rows.ts";
import { unknownPart, unknownVersion } from "../keyring/tables/versions.ts";
import { isOwnershipProven, type Ownership } from "../seal/ownership.ts";
import { sealAad } from "../seal/seal.ts";
import type { SealSource } from "../seal/seal-source.ts";
import { selfTest } from "./self-test.ts";

/** A part of this node that does not work: a word for programs, a sentence for people. */
export interface Problem {
  readonly reason: string;
  readonly message: string;
}

/** Opens and tests versions, and their ownership proofs, before anybody relies on them: each of them once. */
export class VersionTester {
  readonly #seals: SealSource;
  /** Digests of the versions that passed: only a holder of the root key can make more of them. */
  readonly #passed = new Set<string>();
  /** Rows that passed: they need no digest when they are tested again. */
  readonly #passedRows = new WeakSet<VersionRow>();
  /** The ownership proof of each version that was verified last, with all that it binds. */
  readonly #proven = new Map<string, string>();

  constructor(seals: SealSource) {
    this.#seals = seals;
  }

  /** Returns why a version cannot be used on this node, if it cannot. */
  async fault(version: VersionRow): Promise<Problem | undefined> {
    const unknown = unknownPart(version);
    if (unknown !== undefined) {
      return { reason: "UnknownVersion", message: unknownVersion(version, unknown).message };
    }
    if (this.#passedRows.has(version)) return undefined;
    const digest = digestOf(version);
    if (this.#passed.has(digest)) {
      this.#passedRows.add(version);
      return undefined;
    }
    try {
      using material = await this.#seals.unseal(version, version.sealed);
      selfTest(version, material);
    } catch (error) {
      const code = codeOf(error);
      if (code !== "SealUnavailable" && code !== "SealMismatch") throw error;
      return { reason: code, message: messageOf(error) };
    }
    this.#passed.add(digest);
    return undefined;
  }

  /**
   * Returns true if the version's ownership proof was made under this root key, for this owner and validTo.
   * Throws SealUnavailable.
   */
  async isProven(version: VersionRow): Promise<boolean> {
    const { ownership } = version;
    if (ownership === undefined) return false;
    const text = proofText(version, ownership);
    if (this.#proven.get(version.versionId) === text) return true;
    if (!(await isOwnershipProven(this.#seals, version, ownership))) return false;
    this.#proven.set(version.versionId, text);
    return true;
  }
}

/** Text of a proof and of all that it binds. No hash and no canonical form: every pass looks at ten thousand versions. */
function proofText(version: VersionRow, { revision, proof }: Ownership): string {
  const { keyId, versionId, number, keySpec, keyUsage, origin, masterKey, materialId, validTo } = version;
  const { namespace, name } = masterKey;
  const { provider, rootKeyId, blob } = proof;
  return [
    ...[keyId, versionId, number, keySpec, keyUsage, origin, namespace, name, materialId, validTo],
    ...[revision, provider, rootKeyId, Buffer.from(blob).toString("latin1")],
  ].join("\n");
}

/** Digest of everything that opening a version depends on: the versionId alone would let a copy with another number pass. */
function digestOf(version: VersionRow): string {
  const { provider, rootKeyId, blob } = version.sealed;
  const sealedBy = `${provider}:${rootKeyId}\n`;
  return createHash("sha256").update(sealAad(version)).update(sealedBy).update(blob).digest("base64");
}
