import { MAX_YAML_BYTES } from "../../config/bounded-yaml.ts";
import { appearanceOf } from "../../files/file-appearance.ts";
import { readRegularFile } from "../../files/regular-file.ts";
import { goTextOf } from "../../go/go-config.ts";
import type { ManifestName } from "./manifest-edit.ts";
import { manifestKey } from "./manifest-verdicts.ts";
import { MAX_FOLDER_BYTES, type Manifest, manifestFiles, parseManifests } from "./manifests.ts";

interface ReadFile {
  readonly appearance: string;
  readonly bytes: number;
  /** By kind and name; the first of each in the file. */
  readonly manifests: ReadonlyMap<string, Manifest>;
}

/**
 * A folder of manifests whose files are parsed again only if they have changed: a thousand of them take a tenth of
 * a second, in which this process does nothing else.
 */
export class ManifestCache {
  readonly #folder: string;
  #files: ReadonlyMap<string, ReadFile> = new Map();

  constructor(folder: string) {
    this.#folder = folder;
  }

  /**
   * Returns the manifest of an object as it is now: the first one, by the names of the files. A file that cannot be
   * read has none. Throws ConfigInvalid if there is no such folder.
   */
  find(name: ManifestName): Manifest | undefined {
    this.#look();
    for (const { manifests } of this.#files.values()) {
      const found = manifests.get(manifestKey(name));
      if (found !== undefined) return found;
    }
    return undefined;
  }

  #look(): void {
    let left = MAX_FOLDER_BYTES;
    const files = new Map<string, ReadFile>();
    for (const path of manifestFiles(this.#folder)) {
      const appearance = appearanceOf(path);
      const known = this.#files.get(path);
      // A file that could not be read may become readable without a change.
      const isSame = known?.appearance === appearance && known.bytes > 0;
      const file = isSame ? known : readFile(path, appearance, left);
      left -= file.bytes;
      files.set(path, file);
    }
    this.#files = files;
  }
}

function readFile(path: string, appearance: string, left: number): ReadFile {
  try {
    const bytes = readRegularFile(path, { maxBytes: Math.min(left, MAX_YAML_BYTES) });
    const manifests = parseManifests(goTextOf(bytes, path), path, []);
    // The last entry of a key wins in a Map, and the first manifest has to.
    const entries = manifests.toReversed().map((manifest) => [manifestKey(manifest), manifest] as const);
    return { appearance, bytes: bytes.length, manifests: new Map(entries) };
  } catch {
    // The operator reports what is wrong with it.
    return { appearance, bytes: 0, manifests: new Map() };
  }
}
