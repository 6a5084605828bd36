import { randomUUID } from "node:crypto";
import {
  closeSync,
  fchmodSync,
  fchownSync,
  openSync,
  realpathSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { MAX_YAML_BYTES, parseYaml } from "../../config/bounded-yaml.ts";
import type { NodeConfig } from "../../config/config.ts";
import { ClavigerError, codeOf, messageOf } from "../../errors.ts";
import { readRegularText } from "../../files/regular-file.ts";
import { parseJson } from "../../json.ts";
import { nameText, type ObjectName } from "../../names.ts";
import type { MasterKey } from "../../resources/resources.ts";
import type { ImportSpec } from "../../resources/schemas/import.ts";
import { manifestFiles, readManifests } from "../../store/manifests/manifests.ts";
import { readKeyring } from "../site/read-keyring.ts";
import { ClusterMasterKey } from "../site/target.ts";

/** The MasterKey that material is imported into, wherever it is kept. */
export interface ImportTarget {
  /** As it is now. Throws NotFound where there is none. */
  read(signal?: AbortSignal): Promise<MasterKey>;
  /** Replaces spec.import as a whole. */
  write(spec: Partial<ImportSpec>): Promise<void>;
  /** Takes spec.import away where it is this request's yet; whether it was. Somebody else's stays. */
  takeOut(requestToken: string): Promise<boolean>;
}

/** What a merge patch has to name so that nothing of an earlier import stays. */
const NOTHING: Readonly<Record<keyof ImportSpec, null>> = {
  requestToken: null,
  wrappingKeySpec: null,
  importType: null,
  wrappedMaterial: null,
  wrappingAlgorithm: null,
  importToken: null,
  expirationModel: null,
  validTo: null,
};

/** A MasterKey of an API server. */
export function clusterTarget(kubeconfigPath: string, name: ObjectName): ImportTarget {
  const masterKey = new ClusterMasterKey(kubeconfigPath, name);
  return {
    read: (signal) => masterKey.read(signal),
    write: (spec) => masterKey.patch({ import: { ...NOTHING, ...spec } }),
    takeOut: (requestToken) => takeOutOf(masterKey, requestToken),
  };
}

/** A leader may write the status at the same moment. */
const TAKE_OUTS = 5;

async function takeOutOf(masterKey: ClusterMasterKey, requestToken: string): Promise<boolean> {
  for (let attempt = 1; ; attempt += 1) {
    const { metadata, spec } = await masterKey.read();
    if (spec.import?.requestToken !== requestToken) return false;
    try {
      await masterKey.patch({ import: null }, metadata.resourceVersion);
      return true;
    } catch (error) {
      if (codeOf(error) !== "Conflict" || attempt >= TAKE_OUTS) throw error;
    }
  }
}

/** A MasterKey of a folder of manifests: spec in its file, the rest in the keyring. */
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
    // The operator has validated it.
    return parseJson(json, `MasterKey ${nameText(name)} in the keyring`, "KeyringCorrupt") as MasterKey;
  }
  throw new ClavigerError("NotFound", `MasterKey ${nameText(name)} was not taken up by the operator`);
}

/** Changes one field of one document and leaves the rest of its file, comments too, as it is. */
function editManifest(folder: string, name: ObjectName, spec: Partial<ImportSpec> | undefined): void {
  const { file, documents, document } = findManifest(folder, name);
  if (spec === undefined) document.deleteIn(["spec", "import"]);
  else document.setIn(["spec", "import"], document.createNode(spec));
  replaceFile(file, documents.map(String).join(""));
}

/** The document that has the MasterKey, and its file. Throws NotFound. */
function findManifest(folder: string, name: ObjectName) {
  const faults: string[] = [];
  for (const file of manifestFiles(folder)) {
    try {
      const parsed = parseYaml(readRegularText(file, { maxBytes: MAX_YAML_BYTES }), file);
      const found = parsed.find(({ value }) => isMasterKey(value, name));
      const documents = parsed.map(({ document }) => document);
      if (found !== undefined) return { file, documents, document: found.document };
    } catch (error) {
      // It may be in another file.
      faults.push(error instanceof ClavigerError ? error.message : `${file}: ${messageOf(error)}`);
    }
  }
  const what = [notFound(folder, name), ...faults].join("; ");
  throw new ClavigerError("NotFound", what);
}

/** The operator reads what this command cannot edit. */
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

/** In one step, as the folder is watched. Whoever could read the file can do so afterwards: an operator may have another user. */
function replaceFile(path: string, text: string): void {
  const file = realpathSync(path);
  // A name that nobody can have made a link of: others may write the folder, and this may be root.
  const draft = `${file}.${randomUUID()}`;
  try {
    const { mode, uid, gid } = statSync(file);
    const fd = openSync(draft, "wx", 0o600);
    try {
      writeFileSync(fd, text);
      if (process.getuid?.() === 0) fchownSync(fd, uid, gid);
      fchmodSync(fd, mode);
    } finally {
      closeSync(fd);
    }
    renameSync(draft, file);
  } catch (cause) {
    rmSync(draft, { force: true });
    throw new ClavigerError("ConfigInvalid", `${file} cannot be written: ${messageOf(cause)}`, { cause });
  }
}
