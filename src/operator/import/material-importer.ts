import {
  materialId,
  unwrapMaterial,
  type WrappingKeyPair,
  type WrappingKeySpec,
} from "../../crypto/import-wrapping.ts";
import { importedMaterial, importSize, materialText } from "../../crypto/imported-material.ts";
import type { KeySpec } from "../../crypto/key-specs.ts";
import type { Secret } from "../../crypto/secret.ts";
import { codeOf } from "../../errors.ts";
import { toOwnershipSpec, toVersionRow } from "../../resources/key-version-rows.ts";
import { objectName } from "../../resources/object-text.ts";
import type { KeyVersion } from "../../resources/resources.ts";
import { toKeyId } from "../../resources/versions.ts";
import { issueImportToken, openImportToken } from "../../seal/import-token.ts";
import { proveOwnership } from "../../seal/ownership.ts";
import type { SealSource } from "../../seal/seal-source.ts";
import type { BindingWrites, KeyVersionCreation } from "../../store/roles.ts";
import { HOUR_MILLISECONDS, rfc3339, timeOf } from "../../times.ts";
import { atWritePoint } from "../../write-points.ts";
import type { KeyPairs } from "../key-pairs.ts";
import type { StatusPart } from "../master-key/assemble-status.ts";
import { createVersion, type NextVersion } from "../master-key/create-version.ts";
import {
  decideImport,
  decideOpened,
  type ImportStep,
  newOffer,
  nextRenewal,
  type ObservedImport,
  type OpenedStep,
  PARAMETERS_VALID_MILLISECONDS,
  refused,
} from "./decide-import.ts";
import { newDeletion } from "./decide-material-deletion.ts";
import { INVALID_TOKEN } from "./import-objections.ts";
import type { Offer } from "./import-offer.ts";
import { type ImportOutcome, importPart } from "./import-status.ts";
import { nextExpiryChange } from "./material-expiry.ts";

type DeleteStep = Extract<ImportStep, { readonly kind: "delete" }>;

type WrappingKeyPairs = Pick<KeyPairs<WrappingKeySpec, WrappingKeyPair>, "take">;

/** A status that was just written needs a moment to come back in the watch. */
const SHORTEST_PAUSE_MILLISECONDS = 5_000;
/** Times that are further away are checked again on the way. */
const LONGEST_PAUSE_MILLISECONDS = HOUR_MILLISECONDS;

/**
 * Carries out imports for the leader. Material is in memory from its opening to its sealing, within one pass,
 * and then wiped.
 */
export class MaterialImporter {
  readonly #store: KeyVersionCreation & BindingWrites;
  readonly #seals: SealSource;
  readonly #keyPairs: WrappingKeyPairs;

  constructor(options: {
    readonly store: KeyVersionCreation & BindingWrites;
    readonly seals: SealSource;
    readonly keyPairs: WrappingKeyPairs;
  }) {
    this.#store = options.store;
    this.#seals = options.seals;
    this.#keyPairs = options.keyPairs;
  }

  /**
   * Makes at most one step about importing, and returns its part of the status. Throws
   * SealUnavailable, Conflict or ApiServer if nothing was done.
   */
  async advance(observed: ObservedImport, now: Date): Promise<StatusPart> {
    // The next revision of a proof must follow the stored revision, otherwise two re-imports could get the
    // same revision.
    const outcome = observed.unsettled === true ? NOTHING : await this.#step(observed, now);
    return importPart(observed, outcome, now);
  }

  /**
   * Returns in how many milliseconds the passing of time alone changes something, or undefined if it never
   * does.
   */
  lookAgain({ masterKey, versions, room }: ObservedImport, now: Date): number | undefined {
    const until = newOffer(masterKey) && room.askedVersion?.until;
    const wait = until && Math.max(0, until.getTime() - now.getTime());
    // The nodes' reports on which a deletion waits come without an event for this key.
    if (newDeletion(masterKey) !== undefined) return SHORTEST_PAUSE_MILLISECONDS;
    const moments = [nextRenewal(masterKey, now), nextExpiryChange(versions, now), wait];
    const known = moments.filter((moment) => moment !== undefined);
    if (known.length === 0) return undefined;
    return Math.max(SHORTEST_PAUSE_MILLISECONDS, Math.min(LONGEST_PAUSE_MILLISECONDS, ...known));
  }

  async #step(observed: ObservedImport, now: Date): Promise<ImportOutcome> {
    const step = await decideAgain(observed, decideImport(observed, now), now);
    switch (step.kind) {
      case "none":
        return step;
      case "publish":
        return this.#publish(observed, step.keySpec, now);
      case "open":
        return this.#open(observed, step.offer, now);
      case "delete":
        return this.#delete(step);
      case "refuse":
        return { kind: "refused", offer: step.offer, finding: step.finding };
      case "wait":
        return { kind: "waiting", finding: step.finding };
    }
  }

  /** Nothing happens while the key pair is generated: this key's next pass finds it. */
  async #publish({ masterKey }: ObservedImport, spec: WrappingKeySpec, now: Date): Promise<ImportOutcome> {
    const seal = this.#seals.forSealing();
    const pair = this.#keyPairs.take(objectName(masterKey), spec);
    if (pair === undefined) return { kind: "none" };
    const { publicKey } = pair;
    using secret = pair.privateKey;
    const validTo = rfc3339(new Date(now.getTime() + PARAMETERS_VALID_MILLISECONDS));
    const binding = { keyId: toKeyId(masterKey), validTo: timeOf(validTo) };
    const importToken = await issueImportToken(seal, binding, secret);
    return { kind: "published", parameters: { publicKey, importToken, validTo } };
  }

  async #delete({ version, validTo, deletion }: DeleteStep): Promise<ImportOutcome> {
    if (validTo !== undefined) await this.#setExpiry(version, { validTo });
    const { number, validTo: before = "" } = version.spec;
    const { materialId } = deletion;
    return { kind: "deleted", offer: deletion, number, materialId, validTo: validTo ?? before };
  }

  async #open(observed: ObservedImport, offer: Offer, now: Date): Promise<ImportOutcome> {
    const opened = await this.#unwrap(observed, offer);
    if ("kind" in opened) return { kind: "refused", offer, finding: opened.finding };
    using material = opened;
    const id = materialId(toKeyId(observed.masterKey), material);
    const step = decideOpened(observed, offer, id, now);
    if (step.kind === "refuse") return { kind: "refused", offer, finding: step.finding };
    if (step.kind === "wait") return { kind: "waiting", finding: step.finding };
    const number = await this.#apply(observed, offer, step, material, id);
    return { kind: "imported", offer, number, materialId: id };
  }

  /** Returns the material, or the refusal, which only says which of the offer's two parts does not fit. */
  async #unwrap({ masterKey }: ObservedImport, offer: Offer): Promise<Secret | ReturnType<typeof refused>> {
    const { keySpec, keyUsage } = masterKey.spec;
    try {
      using privateKey = await openImportToken(this.#seals.get(), toKeyId(masterKey), offer.importToken);
      const wrapped = Buffer.from(offer.wrappedMaterial, "base64");
      using imported = unwrapMaterial(privateKey, offer.wrappingAlgorithm, wrapped, importSize(keySpec));
      return (
        importedMaterial(keySpec, keyUsage, imported) ??
        refused(offer, "InvalidCiphertext", doesNotOpen(offer, keySpec))
      );
    } catch (error) {
      const code = codeOf(error);
      if (code === "InvalidArgument") return refused(offer, ...INVALID_TOKEN);
      if (code !== "InvalidCiphertext") throw error;
      return refused(offer, "InvalidCiphertext", doesNotOpen(offer, keySpec));
    }
  }

  /** Applies opened material. Returns the number of the version that has it. */
  async #apply(
    observed: ObservedImport,
    offer: Offer,
    step: Exclude<OpenedStep, { readonly finding: unknown }>,
    material: Secret,
    id: string,
  ): Promise<number> {
    if (step.kind === "create") {
      const stores = { store: this.#store, seals: this.#seals };
      await createVersion(stores, observed.masterKey, importedVersion(observed, offer, step, id), material);
      return step.number;
    }
    if (step.kind === "setExpiry") {
      await this.#setExpiry(step.version, offer);
    }
    return step.version.spec.number;
  }

  /** Writes the next revision of the version's proof, so that no earlier revision can be restored. */
  async #setExpiry(version: KeyVersion, { validTo }: Pick<Offer, "validTo">): Promise<void> {
    const { validTo: _, ...identity } = toVersionRow(version);
    const next = { ...identity, ...(validTo !== undefined && { validTo: timeOf(validTo) }) };
    const revision = (identity.ownership?.revision ?? 0) + 1;
    const ownership = toOwnershipSpec(await proveOwnership(this.#seals, next, revision));
    const binding = { ownership, ...(validTo !== undefined && { validTo }) };
    await atWritePoint("keyversion.seal", () => this.#store.setBinding(version, binding));
  }
}

/**
 * Decides a deletion of material again on data read past the cache: an API server may have begun to use the
 * key, or somebody may have withdrawn the request.
 */
async function decideAgain(observed: ObservedImport, step: ImportStep, now: Date): Promise<ImportStep> {
  if (step.kind !== "delete" || step.validTo === undefined) return step;
  const users = await observed.freshUsers();
  return decideImport({ ...observed, users: () => users }, now);
}

const importedVersion = (
  { masterKey }: ObservedImport,
  { validTo }: Offer,
  { number }: { readonly number: number },
  materialId: string,
): NextVersion => ({
  keyId: toKeyId(masterKey),
  number,
  materialId,
  ...(validTo !== undefined && { validTo: timeOf(validTo) }),
});

const NOTHING: ImportOutcome = { kind: "none" };

const doesNotOpen = ({ wrappingAlgorithm }: Offer, keySpec: KeySpec): string =>
  `spec.import.wrappedMaterial is not ${materialText(keySpec)} wrapped by ${wrappingAlgorithm} under the public key that came with the import token: wrap it again`;
