import type { NodeConfig } from "../../config/config.ts";
import { kmsKeyId } from "../../crypto/ids.ts";
import type { KeyringReader } from "../../keyring/reader.ts";
import { nameText } from "../../names.ts";
import { readKeyring } from "./read-keyring.ts";

/** What a node's keyring says of its versions, without any material. */
export interface KeyringFacts {
  /** key_id → the MasterKey version that it stands for. */
  readonly versionNames: ReadonlyMap<string, string>;
  /** rootKeyId → how many versions are sealed under it. */
  readonly sealedUnder: ReadonlyMap<string, number>;
  /** Why rows cannot be read by this release. */
  readonly unreadable: readonly string[];
}

/** Versions read at a time. */
const BATCH = 500;

/** Throws NotReady, KeyringUnavailable or KeyringCorrupt. */
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
    // A seq that no number holds exactly is read again and again.
    if (last === undefined || last.seq <= seq) return { versionNames, sealedUnder, unreadable };
    seq = last.seq;
  }
}
