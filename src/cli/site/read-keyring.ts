import { join } from "node:path";
import type { NodeConfig } from "../../config/config.ts";
import { KeyringReader } from "../../keyring/reader.ts";
import { KEYRING_FILE } from "../../keyring/state-folder.ts";

/**
 * Reads a node's keyring, also while its operator writes. Throws the errors of `read`, or NotReady,
 * KeyringUnavailable or KeyringCorrupt if the keyring cannot be opened.
 */
export function readKeyring<T>(
  { stateDir }: Pick<NodeConfig, "stateDir">,
  read: (keyring: KeyringReader) => T,
): T {
  const keyring = KeyringReader.open(join(stateDir, KEYRING_FILE));
  try {
    return read(keyring);
  } finally {
    keyring.close();
  }
}
