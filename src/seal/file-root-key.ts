import { appearanceOf } from "../files/file-appearance.ts";
import { fileSeal } from "./file.ts";
import type { RootKey } from "./root-key.ts";
import { readRootKey } from "./root-key-file.ts";

/** The root key of the `file` seal: 32 bytes in a file of their own. */
export const fileRootKey = (path: string): RootKey => ({
  text: path,
  open: (anySealed) => fileSeal(readRootKey(path, anySealed)),
  identify: (anySealed) => {
    using rootKey = readRootKey(path, anySealed);
    return fileSeal(rootKey).rootKeyId;
  },
  appearance: () => appearanceOf(path),
});
