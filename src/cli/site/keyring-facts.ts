import type { NodeConfig } from "../../config/config.ts";
import { kmsKeyId } from "../../crypto/ids.ts";
import type { KeyringReader } from "../../keyring/reader.ts";
import { nameText } from "../../names.ts";
import { readKeyring } from "./read-keyring.ts";

/** Facts about the versions in a node's keyring, without any material. */
export interface KeyringFacts {
  /** Maps each key_id to its MasterKey version. */
  readonly versionNames: ReadonlyMap<string, string>;
  /** Maps each rootKeyId to the number of versions sealed under it. */
  readonly sealedUnder: ReadonlyMap<string, number>;
  /** Reasons why rows cannot be read by this release. */
  readonly unreadable: readonly string[];
}

/** The number of versions read at a time. */
const BATCH = 500;

/** Reads the facts of this node's keyring. Throws NotReady, KeyringUnavailable or KeyringCorrupt. */
export const readKeyringFacts = (config: Pick<NodeConfig, "stateDir">): KeyringFacts =>
  readKeyring(config, factsOf);

function factsOf(keyring: KeyringReader): KeyringFacts {
  const versionNames = new Map<string, string>();
  const sealedUnder = new Map<string, number>();
  const unreadable = keyring.unreadableRows().map(({ error }) => error.message);
  for (let seq = 0; ; ) {
    const batch = keyring.rowsAfter(seq, BATCH);
    for (const row of batch) {
      if ("error" in row) {
        unreadable.push(row.error.message);
        continue;
      }
      const { masterKey, number, keyId, versionId, sealed } = row.version;
      versionNames.set(kmsKeyId(keyId, versionId), `${nameText(masterKey)} v${number}`);
      sealedUnder.set(sealed.rootKeyId, (sealedUnder.get(sealed.rootKeyId) ?? 0) + 1);
    }
    const last = batch.at(-1);
    // Above the largest exact number, `seq` does not grow, and the same rows would be read for ever.
    if (last === undefined || last.seq <= seq) return { versionNames, sealedUnder, unreadable };
    seq = last.seq;
  }
}
