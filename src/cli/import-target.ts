import {
  chmodSync,
  chownSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { parseAllDocuments } from "yaml";
import type { NodeConfig } from "../config.ts";
import { ClavigerError, messageOf } from "../errors.ts";
import { nameText, type ObjectName } from "../keyring/rows.ts";
import type { ImportSpec } from "../kube/import-schema.ts";
import type { MasterKey } from "../kube/resources.ts";
import { manifestFiles } from "../operator/manifests.ts";
import { readKeyring } from "./read-keyring.ts";
import { ClusterMasterKey } from "./target.ts";

/** The MasterKey that material is imported into, wherever it is kept. */
export interface ImportTarget {
  /** As it is now. Throws NotFound where there is none. */
  read(signal?: AbortSignal): Promise<MasterKey>;
  /** The requestToken of spec.import, as it is written: an operator may not have seen it yet. */
  requestToken(): Promise<string | undefined>;
  /** Replaces spec.import as a whole; takes it away where nothing is given. */
  write(spec: Partial<ImportSpec> | undefined): Promise<void>;
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
    requestToken: async () => (await masterKey.read()).spec.import?.requestToken,
    write: (spec) => masterKey.patch({ import: spec === undefined ? null : { ...NOTHING, ...spec } }),
  };
}

/** A MasterKey of a folder of manifests: spec in its file, the rest in the keyring. */
export function standaloneTarget(folder: string, config: NodeConfig, name: ObjectName): ImportTarget {
  return {
    read: async () => readObject(config, name),
    requestToken: async () => {
      const token = findManifest(folder, name).document.getIn(["spec", "import", "requestToken"]);
      return typeof token === "string" ? token : undefined;
    },
    write: async (spec) => editManifest(folder, name, spec),
  };
}

function readObject(config: NodeConfig, name: ObjectName): MasterKey {
  const json = readKeyring(config, (keyring) => keyring.object("MasterKey", name));
  if (json !== undefined) return JSON.parse(json);
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
  for (const file of manifestFiles(folder)) {
    const documents = parseAllDocuments(readFileSync(file, "utf8"));
    const document = documents.find((candidate) => isMasterKey(candidate.toJS(), name));
    if (document !== undefined) return { file, documents, document };
  }
  throw new ClavigerError("NotFound", `no file of ${folder} has MasterKey ${nameText(name)}`);
}

function isMasterKey(value: unknown, { namespace, name }: ObjectName): boolean {
  if (typeof value !== "object" || value === null) return false;
  const { kind, metadata } = value as { readonly kind?: unknown; readonly metadata?: Partial<ObjectName> };
  return kind === "MasterKey" && metadata?.name === name && (metadata.namespace ?? "default") === namespace;
}

/** In one step, as the folder is watched. Whoever could read the file can do so afterwards: an operator may have another user. */
function replaceFile(path: string, text: string): void {
  const file = realpathSync(path);
  const draft = `${file}.draft`;
  try {
    const { mode, uid, gid } = statSync(file);
    writeFileSync(draft, text, { mode: 0o600 });
    if (process.getuid?.() === 0) chownSync(draft, uid, gid);
    chmodSync(draft, mode);
    renameSync(draft, file);
  } catch (cause) {
    rmSync(draft, { force: true });
    throw new ClavigerError("ConfigInvalid", `${file} cannot be written: ${messageOf(cause)}`, { cause });
  }
}
