import { openSeals } from "../seal/open-seals.ts";
import type { SealSource } from "../seal/seal-source.ts";

/** The seals of a node whose root key is in a file. */
export const sealsIn = (path: string, anySealed?: () => boolean): SealSource =>
  openSeals({ seal: { provider: "file", path } }, anySealed);
