import { dirname } from "node:path";
import { flawOfFolder } from "../../files/private-path.ts";
import { inodeOf } from "../inode.ts";
import { KeyringReader } from "../reader.ts";
import { refuseReplaceable } from "../state-folder.ts";

/** Opens a keyring that nobody else can replace. If it is refused, the contents that were read before are still served. */
export function openTrusted(path: string): KeyringReader {
  const folder = dirname(path);
  // Throws a better message if the folder cannot be entered at all.
  inodeOf(path);
  refuseReplaceable(folder, flawOfFolder(folder));
  return KeyringReader.open(path);
}
