import type { SealConfig } from "../config/config.ts";
import { fileRootKey } from "./file-root-key.ts";
import type { RootKey } from "./root-key.ts";
import { SealSource } from "./seal-source.ts";

/** The providers of seals that a configuration can name, one row each. */
const providers: Readonly<Record<SealConfig["provider"], (seal: SealConfig) => RootKey>> = {
  file: ({ path }) => fileRootKey(path),
};

/**
 * Returns the seals of a node, by its configuration. The root key is read when it is first needed.
 * `anySealed` tells whether anything is known to be sealed under a root key of this node; if left
 * out, it is assumed.
 */
export const openSeals = ({ seal }: { readonly seal: SealConfig }, anySealed?: () => boolean): SealSource =>
  new SealSource(providers[seal.provider](seal), anySealed);
