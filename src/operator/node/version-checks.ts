import { codeOf, messageOf } from "../../errors.ts";
import { isExpired, type VersionRow } from "../../keyring/rows.ts";
import type { Problem, VersionTester } from "../../keys/version-tester.ts";
import { sameBinding, toVersionRow } from "../../resources/key-version-rows.ts";
import type { KeyVersion } from "../../resources/resources.ts";
import { promotionCandidate } from "../../resources/versions.ts";
import type { View } from "../../store/view.ts";
import type { ViewIndex } from "../claims/view-index.ts";
import type { TimeSlice } from "../time/time-slice.ts";
import { type Listable, listable } from "./report/listed-versions.ts";

/** Checks versions and ownership proofs against this node's root key, a slice of time at once. */
export class VersionChecks {
  readonly #tester: VersionTester;
  /** KeyVersions of the view whose ownership proof was verified. */
  readonly #verified = new WeakSet<KeyVersion>();
  /** Versions of the keyring whose ownership proof fits. */
  readonly #honest = new WeakSet<VersionRow>();

  constructor(tester: VersionTester) {
    this.#tester = tester;
  }

  /**
   * A proof that does not fit its own row counts as missing: an older release changed validTo without it.
   * Without a root key nobody can tell, and all rows stay as they are.
   */
  async withoutFalseProofs(
    versions: readonly VersionRow[],
    slice: TimeSlice,
  ): Promise<readonly VersionRow[]> {
    const honest: VersionRow[] = [];
    try {
      for (const version of versions) {
        honest.push(await this.#withoutFalseProof(version));
        await slice.pause();
      }
      return honest;
    } catch (error) {
      if (codeOf(error) !== "SealUnavailable") throw error;
      return versions;
    }
  }

  async #withoutFalseProof(version: VersionRow): Promise<VersionRow> {
    if (version.ownership === undefined || this.#honest.has(version)) return version;
    if (await this.#tester.isProven(version)) {
      this.#honest.add(version);
      return version;
    }
    const { ownership: _, ...unproven } = version;
    return unproven;
  }

  /**
   * Returns names of the KeyVersions whose owner and validTo are proven. Without a root key none is, and all
   * rows stay as they are.
   */
  async proven(
    { keyVersions }: Pick<View, "keyVersions">,
    problems: Problem[],
    slice: TimeSlice,
  ): Promise<Set<string>> {
    const proven = new Set<string>();
    try {
      for (const object of keyVersions) {
        await slice.pause();
        if (!this.#verified.has(object) && !(await this.#tester.isProven(toVersionRow(object)))) continue;
        this.#verified.add(object);
        proven.add(object.metadata.name);
      }
    } catch (error) {
      if (codeOf(error) !== "SealUnavailable") throw error;
      problems.push({ reason: "SealUnavailable", message: messageOf(error) });
      return new Set();
    }
    return proven;
  }

  /**
   * Returns the KeyVersions that are not held yet and open here, by name. Problems of the others are
   * reported.
   */
  async acceptable(
    { keyVersions }: View,
    held: readonly { readonly versionId: string }[],
    problems: Problem[],
    slice: TimeSlice,
  ): Promise<Set<string>> {
    const known = new Set<string>(held.map((version) => version.versionId));
    const acceptable = new Set<string>();
    for (const { metadata, spec } of keyVersions) {
      if (known.has(spec.versionId)) continue;
      await slice.pause();
      const fault = await this.#faultOf(toVersionRow({ spec }));
      if (fault === undefined) acceptable.add(metadata.name);
      else problems.push({ ...fault, message: `KeyVersion ${metadata.name}: ${fault.message}` });
    }
    return acceptable;
  }

  /**
   * Returns the candidates for promotion that this node could serve at this very moment. Current versions are
   * tested too, because a node that cannot open them must not report that all is well.
   */
  async preparable(
    index: ViewIndex,
    versions: readonly VersionRow[],
    problems: Problem[],
    expiryNow: number,
    slice: TimeSlice,
  ): Promise<Listable[]> {
    const stored = new Map<string, VersionRow>(versions.map((version) => [version.versionId, version]));
    const prepared: Listable[] = [];
    for (const masterKey of index.view.masterKeys) {
      await slice.pause();
      const current = stored.get(masterKey.status?.currentVersion?.versionId ?? "");
      const currentFault = current && (await this.#faultOf(current));
      if (currentFault !== undefined) problems.push(currentFault);
      const candidate = promotionCandidate(masterKey, index.versionsFor(masterKey));
      const row = stored.get(candidate?.spec.versionId ?? "");
      // A copy of the version under another number, which is reported as a contradiction.
      if (candidate === undefined || row === undefined || !sameBinding(row, toVersionRow(candidate)))
        continue;
      // It cannot be promoted, and must not take the place of a version that can.
      if (isExpired(row, expiryNow) || masterKey.metadata.deletionTimestamp !== undefined) continue;
      const fault = await this.#faultOf(row);
      if (fault === undefined) prepared.push(listable(candidate));
      else problems.push(fault);
    }
    return prepared;
  }

  /** A failure of one version's test is that version's problem, and does not stop the others. */
  async #faultOf(version: VersionRow): Promise<Problem | undefined> {
    try {
      return await this.#tester.fault(version);
    } catch (error) {
      const message = `version ${version.number} of key ${version.keyId} could not be tested: ${messageOf(error)}`;
      return { reason: "VersionUntested", message };
    }
  }
}
