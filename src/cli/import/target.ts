import type { NodeConfig } from "../../config/config.ts";
import { ClavigerError } from "../../errors.ts";
import { fieldsOf, parseJson } from "../../json.ts";
import { nameText, type ObjectName } from "../../names.ts";
import type { MasterKey } from "../../resources/resources.ts";
import { type ImportSpec, importPatch } from "../../resources/schemas/import.ts";
import { editManifestFile } from "../../store/manifests/edit-manifest-file.ts";
import { FolderLock } from "../../store/manifests/folder-lock.ts";
import { type Manifest, readManifests } from "../../store/manifests/manifests.ts";
import type { SpecPatch } from "../../store/manifests/merge-patch.ts";
import { retryConflicts } from "../../store/retry-conflicts.ts";
import { readKeyring } from "../site/read-keyring.ts";
import { type ClusterAccess, ClusterMasterKey } from "../site/target.ts";

/** The MasterKey that material is imported into, in an API server or in a folder of manifests. */
export interface ImportTarget {
  /** Reads the MasterKey. Throws NotFound if there is none. */
  read(signal?: AbortSignal): Promise<MasterKey>;
  /** Replaces spec.import as a whole. */
  write(spec: Partial<ImportSpec>): Promise<void>;
  /**
   * Removes spec.import if it still belongs to this request, and returns whether it did. The offer of another
   * request stays.
   */
  takeOut(requestToken: string): Promise<boolean>;
}

/** A MasterKey in an API server. */
export function clusterTarget(access: ClusterAccess, name: ObjectName): ImportTarget {
  const masterKey = new ClusterMasterKey(access, name);
  return {
    read: (signal) => masterKey.read(signal),
    write: (spec) => masterKey.patch({ import: importPatch(spec) }),
    takeOut: (requestToken) => takeOutOf(masterKey, requestToken),
  };
}

/** A leader may write the status at the same moment. */
const TAKE_OUTS = 5;

async function takeOutOf(masterKey: ClusterMasterKey, requestToken: string): Promise<boolean> {
  return retryConflicts(async () => {
    const { metadata, spec } = await masterKey.read();
    if (spec.import?.requestToken !== requestToken) return false;
    await masterKey.patch({ import: null }, metadata.resourceVersion);
    return true;
  }, TAKE_OUTS);
}

/** A MasterKey in a folder of manifests: its spec is in its file, the rest in the keyring. */
export function standaloneTarget(folder: string, config: NodeConfig, name: ObjectName): ImportTarget {
  const lock = new FolderLock(config.stateDir);
  return {
    read: async () => readObject(config, name),
    write: (spec) => lock.hold(() => edit(findManifest(folder, name), { import: importPatch(spec) })),
    takeOut: (requestToken) =>
      lock.hold(() => {
        const manifest = findManifest(folder, name);
        if (requestOf(manifest) !== requestToken) return false;
        edit(manifest, { import: null });
        return true;
      }),
  };
}

function readObject(config: NodeConfig, name: ObjectName): MasterKey {
  const json = readKeyring(config, (keyring) => keyring.object("MasterKey", name));
  if (json !== undefined) {
    // The operator has validated the object.
    return parseJson(json, `MasterKey ${nameText(name)} in the keyring`, "KeyringCorrupt") as MasterKey;
  }
  throw new ClavigerError("NotFound", `MasterKey ${nameText(name)} was not accepted by the operator`);
}

const edit = (manifest: Manifest, patch: SpecPatch): void =>
  editManifestFile(manifest.source, manifest, patch);

const requestOf = ({ spec }: Manifest): unknown => fieldsOf(fieldsOf(spec).import).requestToken;

/** Returns the manifest of the MasterKey. Throws NotFound. */
function findManifest(folder: string, name: ObjectName): Manifest {
  const { manifests, problems } = readManifests(folder);
  const found = manifests.find(
    (manifest) => manifest.kind === "MasterKey" && nameText(manifest) === nameText(name),
  );
  if (found !== undefined) return found;
  // It may be in a file that cannot be read.
  throw new ClavigerError(
    "NotFound",
    [`no file of ${folder} has MasterKey ${nameText(name)}`, ...problems].join("; "),
  );
}
