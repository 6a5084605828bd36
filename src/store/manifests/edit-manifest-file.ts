import { MAX_YAML_BYTES } from "../../config/bounded-yaml.ts";
import { readRegularText } from "../../files/regular-file.ts";
import { removeFile, replaceFile } from "../../files/whole-file.ts";
import { editManifest, type ManifestName } from "./manifest-edit.ts";
import type { SpecPatch } from "./merge-patch.ts";

/**
 * Applies a merge patch to the spec of one object of a file of manifests, or removes the object if there is no
 * patch. The file is replaced in one step, and removed if no object is left. Hold the lock of the folder
 * meanwhile. Throws as `editManifest` does.
 */
export function editManifestFile(path: string, name: ManifestName, patch: SpecPatch | undefined): void {
  const text = readRegularText(path, { maxBytes: MAX_YAML_BYTES });
  const edited = editManifest(text, path, name, patch);
  if (edited === undefined) removeFile(path);
  else replaceFile(path, edited);
}
