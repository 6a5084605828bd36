import type { SealConfig } from "../config/config.ts";
import { fileRootKey } from "./file-root-key.ts";
import type { RootKey } from "./root-key.ts";
import { SealSource } from "./seal-source.ts";

/** The providers of seals that a configuration can name, one row each. */
const providers: Readonly<Record<SealConfig["provider"], (seal: SealConfig) => RootKey>> = {
  file: ({ path }) => fileRootKey(path),
};

/**
 * Returns the source of a node's seals, by its configuration. The root key is read when it is first needed.
 * `anySealed` returns true if something is already sealed under this node's root key. The error for a missing
 * root key depends on it: restore the key, or create one. Without `anySealed`, true is assumed.
 */
export const openSeals = ({ seal }: { readonly seal: SealConfig }, anySealed?: () => boolean): SealSource =>
  new SealSource(providers[seal.provider](seal), anySealed);
