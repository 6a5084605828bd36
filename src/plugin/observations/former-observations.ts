import type { ProviderConfig } from "../../config/config.ts";
import { readObservations } from "../../keyring/observations.ts";
import type { ObservationRow } from "../../keyring/rows.ts";
import { keyRefText } from "../../names.ts";
import type { ObservationRecorder } from "./observation-recorder.ts";

/** The observations of the plugin that ran before this one, which its providers continue. */
export class FormerObservations {
  /** By provider. */
  readonly #before: ReadonlyMap<string, ObservationRow>;
  /** Those of them that their provider has not continued yet. */
  readonly #left = new Map<string, ObservationRow>();

  constructor(keyringPath: string) {
    this.#before = observedBefore(keyringPath);
  }

  /**
   * Before the first call, marks the file as incomplete: if this plugin is killed, the next one must not take
   * the present contents for everything that happened.
   */
  async takeOver(recorder: ObservationRecorder): Promise<void> {
    if (this.#before.size === 0) return;
    const rows = [...this.#before.values()];
    const isTaken = await recorder.writeFirst(rows.map(asNotWhole));
    for (const row of isTaken ? rows : rows.map(asNotWhole)) this.#left.set(row.provider, row);
  }

  /**
   * Returns the record that a provider continues, only for the first provider of that name: a provider that
   * is created later in this process does not continue it.
   */
  take(name: string): ObservationRow | undefined {
    const former = this.#left.get(name);
    this.#left.delete(name);
    return former;
  }

  /**
   * Returns true if a provider must not start with imported material. Whoever may edit a KeyAlias chooses its
   * key, so an alias may start with imported material only if the configuration allows it. A key that was
   * served before continues: the operator lets no served alias move to imported material. The keyring has a
   * record of it too (`servedImport`), but an older release may have run since and not have kept it.
   */
  refuseImported({ name, ref, allowImported }: ProviderConfig): boolean {
    if ("key" in ref || allowImported === true) return false;
    if (!this.#before.has(name)) return true;
    const before = this.#before.get(name)?.serves;
    return before !== undefined && before !== keyRefText(ref);
  }
}

/** Returns nothing if the file cannot be read: the operator reports that. */
function observedBefore(keyringPath: string): ReadonlyMap<string, ObservationRow> {
  try {
    return new Map(readObservations(keyringPath).map((row) => [row.provider, row]));
  } catch {
    return new Map();
  }
}

const asNotWhole = ({ mark, ...row }: ObservationRow): ObservationRow =>
  mark === undefined ? row : { ...row, mark: { ...mark, whole: false } };
