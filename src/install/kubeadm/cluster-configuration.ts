import { type Document, isMap, isSeq, parseDocument, type YAMLSeq } from "yaml";
import { ClavigerError } from "../../errors.ts";
import { ENCRYPTION_FOLDER, PATHS, SOCKET_FOLDER } from "../paths.ts";

/** The API server's flags that claviger needs. */
export const FLAGS: Readonly<Record<string, string>> = {
  "encryption-provider-config": PATHS.encryptionConfig,
  "encryption-provider-config-automatic-reload": "true",
};

/** A volume of the API server's pod, in kubeadm's own words. */
export interface ExtraVolume {
  readonly name: string;
  readonly hostPath: string;
  readonly mountPath: string;
  readonly readOnly?: boolean;
  readonly pathType: string;
}

/** Folders and never files: who edits a file may put another in its place, and a plugin makes a new socket. */
export const VOLUMES: readonly ExtraVolume[] = [
  {
    name: "enc",
    hostPath: ENCRYPTION_FOLDER,
    mountPath: ENCRYPTION_FOLDER,
    readOnly: true,
    pathType: "Directory",
  },
  { name: "claviger", hostPath: SOCKET_FOLDER, mountPath: SOCKET_FOLDER, pathType: "Directory" },
];

/** The parts of a ClusterConfiguration that claviger needs. */
export interface EncryptionFacts {
  /** The values of the flags of `FLAGS`. */
  readonly flags: ReadonlyMap<string, string>;
  /** The paths in the pod at which its own volumes are mounted. */
  readonly mounts: ReadonlySet<string>;
}

/** Returns what of claviger a ClusterConfiguration of kubeadm has. Throws InvalidArgument. */
export function factsOf(text: string): EncryptionFacts {
  const document = parsed(text);
  const mounts = entriesOf(document.getIn(["apiServer", "extraVolumes"])).flatMap((entry) => {
    const mountPath = isMap(entry) ? entry.get("mountPath") : undefined;
    return typeof mountPath === "string" ? [mountPath] : [];
  });
  const flags = Object.keys(FLAGS).flatMap((name) => {
    const value = flagOf(document, name);
    return value === undefined ? [] : [[name, value] as const];
  });
  return { flags: new Map(flags), mounts: new Set(mounts) };
}

/** Returns the names of the flags and mounts that are missing or have other values. */
export function missingIn({ flags, mounts }: EncryptionFacts): string[] {
  return [
    ...Object.entries(FLAGS)
      .filter(([name, value]) => flags.get(name) !== value)
      .map(([name, value]) => `--${name}=${value}`),
    ...VOLUMES.filter(({ mountPath }) => !mounts.has(mountPath)).map(({ mountPath }) => `mount ${mountPath}`),
  ];
}

/** Adds claviger's flags and volumes for the API server, and changes nothing else. */
export function withEncryption(text: string): string {
  const document = parsed(text);
  for (const [name, value] of Object.entries(FLAGS)) setFlag(document, name, value);
  const { mounts } = factsOf(text);
  for (const volume of VOLUMES) {
    if (!mounts.has(volume.mountPath)) addTo(document, ["apiServer", "extraVolumes"], volume);
  }
  return document.toString({ lineWidth: 0 });
}

/**
 * Removes claviger's flags and volumes, if they are as `withEncryption` adds them. Returns a text without any of
 * them unchanged, so that a difference of nothing but the layout is not written.
 */
export function withoutEncryption(text: string): string {
  if (missingIn(factsOf(text)).length === Object.keys(FLAGS).length + VOLUMES.length) return text;
  const document = parsed(text);
  for (const [name, value] of Object.entries(FLAGS)) {
    if (flagOf(document, name) === value) removeFlag(document, name);
  }
  const ours = new Set(VOLUMES.map(({ mountPath }) => mountPath));
  removeFrom(document, ["apiServer", "extraVolumes"], (entry) => ours.has(String(entry.mountPath)));
  return document.toString({ lineWidth: 0 });
}

/** Sets or, with undefined, removes the address by which clients reach the API servers. */
export function withEndpoint(text: string, endpoint: string | undefined): string {
  const document = parsed(text);
  if (endpoint === undefined) document.delete("controlPlaneEndpoint");
  else document.set("controlPlaneEndpoint", endpoint);
  return document.toString({ lineWidth: 0 });
}

/** Returns the address by which clients reach the API servers, if it is configured. */
export function endpointOf(text: string): string | undefined {
  const endpoint = parsed(text).get("controlPlaneEndpoint");
  return typeof endpoint === "string" && endpoint !== "" ? endpoint : undefined;
}

/** The API server of one node, as kubeadm's InitConfiguration describes it. */
export interface LocalApiServer {
  readonly address: string;
  readonly port: number;
}

/** Renders an API server's address as HOST:PORT, an IPv6 address in brackets. */
export const hostPort = ({ address, port }: LocalApiServer): string =>
  `${address.includes(":") ? `[${address}]` : address}:${port}`;

/** Renders a file for kubeadm's --config: the cluster, and the API server of one node. */
export function kubeadmFile(text: string, { address, port }: LocalApiServer): string {
  const init = {
    apiVersion: parsed(text).get("apiVersion"),
    kind: "InitConfiguration",
    localAPIEndpoint: { advertiseAddress: address, bindPort: port },
  };
  return `${text.trimEnd()}\n---\n${JSON.stringify(init)}\n`;
}

function parsed(text: string): Document {
  const document = parseDocument(text);
  const version = isMap(document.contents) ? document.get("apiVersion") : undefined;
  if (document.errors.length > 0 || !/^kubeadm\.k8s\.io\/v1beta[34]$/.test(String(version))) {
    throw new ClavigerError(
      "InvalidArgument",
      "the ClusterConfiguration in ConfigMap kube-system/kubeadm-config is none of kubeadm.k8s.io/v1beta3 or v1beta4: install claviger by hand, as docs/install/by-hand.md says",
    );
  }
  return document;
}

/** kubeadm.k8s.io/v1beta3 has a map of flags, v1beta4 a list, because a flag may be given twice. */
const hasList = (document: Document): boolean => document.get("apiVersion") === "kubeadm.k8s.io/v1beta4";
const ARGS = ["apiServer", "extraArgs"];

function flagOf(document: Document, name: string): string | undefined {
  const args = document.getIn(ARGS);
  if (isMap(args)) return args.has(name) ? String(args.get(name)) : undefined;
  const values = entriesOf(args).flatMap((entry) =>
    isMap(entry) && entry.get("name") === name ? [String(entry.get("value"))] : [],
  );
  return values.at(-1);
}

function setFlag(document: Document, name: string, value: string): void {
  if (flagOf(document, name) === value) return;
  removeFlag(document, name);
  if (!isMap(document.get("apiServer"))) document.set("apiServer", document.createNode({}));
  if (hasList(document)) addTo(document, ARGS, { name, value });
  else {
    if (!isMap(document.getIn(ARGS))) document.setIn(ARGS, document.createNode({}));
    document.setIn([...ARGS, name], value);
    unfold(document);
  }
}

function removeFlag(document: Document, name: string): void {
  if (isMap(document.getIn(ARGS))) {
    document.deleteIn([...ARGS, name]);
    const rest = document.getIn(ARGS);
    if (isMap(rest) && rest.items.length === 0) document.deleteIn(ARGS);
  } else removeFrom(document, ARGS, (entry) => entry.name === name);
}

function addTo(document: Document, path: readonly string[], entry: object): void {
  if (!isSeq(document.getIn(path))) document.setIn(path, document.createNode([]));
  unfold(document);
  document.addIn(path, document.createNode(entry));
}

/** kubeadm writes an empty apiServer as {}, and an entry added there would be on the same line. */
function unfold(document: Document): void {
  for (const path of [["apiServer"], ARGS, ["apiServer", "extraVolumes"]]) {
    const node = document.getIn(path);
    if (isMap(node) || isSeq(node)) node.flow = false;
  }
}

function removeFrom(
  document: Document,
  path: readonly string[],
  isOurs: (entry: Readonly<Record<string, unknown>>) => boolean,
): void {
  const list = document.getIn(path);
  if (!isSeq(list)) return;
  list.items = list.items.filter((entry) => !isMap(entry) || !isOurs(entry.toJSON()));
  if (list.items.length === 0) document.deleteIn(path);
}

const entriesOf = (list: unknown): readonly unknown[] => (isSeq(list) ? (list as YAMLSeq).items : []);
