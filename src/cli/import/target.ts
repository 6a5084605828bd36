import { MAX_YAML_BYTES, parseYaml } from "../../config/bounded-yaml.ts";
import type { NodeConfig } from "../../config/config.ts";
import { ClavigerError, messageOf } from "../../errors.ts";
import { readRegularText } from "../../files/regular-file.ts";
import { replaceFile } from "../../files/whole-file.ts";
import { parseJson } from "../../json.ts";
import { nameText, type ObjectName } from "../../names.ts";
import type { MasterKey } from "../../resources/resources.ts";
import { type ImportSpec, importPatch } from "../../resources/schemas/import.ts";
import { manifestFiles, readManifests } from "../../store/manifests/manifests.ts";
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
  return {
    read: async () => readObject(config, name),
    write: async (spec) => editManifest(folder, name, spec),
    takeOut: async (requestToken) => {
      const { document } = findManifest(folder, name);
      if (document.getIn(["spec", "import", "requestToken"]) !== requestToken) return false;
      editManifest(folder, name, undefined);
      return true;
    },
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

/** Changes one field of one document. The rest of the file, comments too, stays as it is. */
function editManifest(folder: string, name: ObjectName, spec: Partial<ImportSpec> | undefined): void {
  const { file, documents, document } = findManifest(folder, name);
  if (spec === undefined) document.deleteIn(["spec", "import"]);
  else document.setIn(["spec", "import"], document.createNode(spec));
  replaceFile(file, documents.map(String).join(""));
}

/** Returns the document that has the MasterKey, and its file. Throws NotFound. */
function findManifest(folder: string, name: ObjectName) {
  const faults: string[] = [];
  for (const file of manifestFiles(folder)) {
    try {
      const parsed = parseYaml(readRegularText(file, { maxBytes: MAX_YAML_BYTES }), file);
      const found = parsed.find(({ value }) => isMasterKey(value, name));
      const documents = parsed.map(({ document }) => document);
      if (found !== undefined) return { file, documents, document: found.document };
    } catch (error) {
      // The document may be in another file.
      faults.push(error instanceof ClavigerError ? error.message : `${file}: ${messageOf(error)}`);
    }
  }
  const what = [notFound(folder, name), ...faults].join("; ");
  throw new ClavigerError("NotFound", what);
}

/** The operator can read files that this command cannot edit. */
function notFound(folder: string, name: ObjectName): string {
  const read = readManifests(folder).manifests.find(
    (one) => one.kind === "MasterKey" && nameText(one) === nameText(name),
  );
  if (read === undefined) return `no file of ${folder} has MasterKey ${nameText(name)}`;
  return `${read.source} has MasterKey ${nameText(name)} within a List, which claviger does not edit: give it a document of its own`;
}

function isMasterKey(value: unknown, { namespace, name }: ObjectName): boolean {
  if (typeof value !== "object" || value === null) return false;
  const { kind, metadata } = value as { readonly kind?: unknown; readonly metadata?: Partial<ObjectName> };
  return kind === "MasterKey" && metadata?.name === name && (metadata.namespace ?? "default") === namespace;
}
