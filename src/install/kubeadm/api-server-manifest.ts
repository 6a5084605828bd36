import { type Document, isMap, isSeq, parseDocument, type YAMLMap, type YAMLSeq } from "yaml";
import { ClavigerError } from "../../errors.ts";
import { PATHS } from "../paths.ts";
import { type EncryptionFacts, FLAGS, type LocalApiServer, VOLUMES } from "./cluster-configuration.ts";

/** The parts of the API server's manifest that claviger needs. */
export interface ApiServerManifest extends EncryptionFacts, LocalApiServer {}

/** Reads the manifest of kube-apiserver that kubeadm made. Throws InvalidArgument. */
export function readApiServerManifest(text: string): ApiServerManifest {
  const { command, mounts } = partsOf(parsed(text));
  const words = command.items.map(wordOf);
  const address = flagIn(words, "advertise-address");
  const port = Number(flagIn(words, "secure-port") ?? "6443");
  if (address === undefined || !Number.isInteger(port)) throw unknown("names no --advertise-address");
  const flags = Object.keys(FLAGS).flatMap((name) => {
    const value = flagIn(words, name);
    return value === undefined ? [] : [[name, value] as const];
  });
  const paths = mounts?.items.flatMap((entry) => (isMap(entry) ? [String(entry.get("mountPath"))] : []));
  return { address, port, flags: new Map(flags), mounts: new Set(paths) };
}

/**
 * Adds claviger's flags, mounts and volumes at the places at which kubeadm puts them, so that its rendering is
 * the same: flags of its configuration at the end, volumes by name. Everything else stays: kubeadm itself would reset what its configuration in the cluster lacks.
 */
export function manifestWithEncryption(text: string): string {
  const document = parsed(text);
  const { flags, mounts } = readApiServerManifest(text);
  const { command } = partsOf(document);
  for (const [name, value] of Object.entries(FLAGS)) {
    if (flags.get(name) === value) continue;
    command.items = command.items.filter((each) => !isFlag(each, name));
    command.add(document.createNode(`--${name}=${value}`));
  }
  for (const { name, mountPath, hostPath, readOnly, pathType } of VOLUMES) {
    if (mounts.has(mountPath)) continue;
    const later = (each: unknown) => isMap(each) && String(each.get("name")) > name;
    const mount = { mountPath, name, ...(readOnly === true && { readOnly }) };
    insert(document, listIn(document, MOUNTS), mount, later);
    insert(
      document,
      listIn(document, VOLUMES_AT),
      { hostPath: { path: hostPath, type: pathType }, name },
      later,
    );
  }
  return rendered(document);
}

/** Removes claviger's flags, mounts and volumes, and nothing else. */
export function manifestWithoutEncryption(text: string): string {
  const document = parsed(text);
  const { command } = partsOf(document);
  const ours = Object.entries(FLAGS).map(([name, value]) => `--${name}=${value}`);
  command.items = command.items.filter((each) => !ours.includes(wordOf(each)));
  const paths = new Set(VOLUMES.map(({ mountPath }) => mountPath));
  const names = new Set(removeFrom(document, MOUNTS, (each) => paths.has(String(each.get("mountPath")))));
  removeFrom(document, VOLUMES_AT, (each) => names.has(String(each.get("name"))));
  return rendered(document);
}

const CONTAINER = ["spec", "containers", 0];
const MOUNTS = [...CONTAINER, "volumeMounts"];
const VOLUMES_AT = ["spec", "volumes"];

/** As kubeadm writes YAML. */
const rendered = (document: Document): string => document.toString({ lineWidth: 0, indentSeq: false });

interface Parts {
  readonly command: YAMLSeq;
  readonly mounts: YAMLSeq | undefined;
}

function partsOf(document: Document): Parts {
  const command = document.getIn([...CONTAINER, "command"]);
  const containers = document.getIn(["spec", "containers"]);
  if (!isSeq(command) || wordOf(command.items[0]) !== "kube-apiserver" || !isSeq(containers)) {
    throw unknown("is none that kubeadm made");
  }
  if (containers.items.length !== 1) throw unknown("is none that kubeadm made");
  const mounts = document.getIn(MOUNTS);
  return { command, mounts: isSeq(mounts) ? mounts : undefined };
}

function parsed(text: string): Document {
  const document = parseDocument(text);
  if (document.errors.length > 0 || !isMap(document.contents)) throw unknown("is not YAML of a pod");
  return document;
}

function listIn(document: Document, path: readonly (string | number)[]): YAMLSeq {
  if (!isSeq(document.getIn(path))) document.setIn(path, document.createNode([]));
  const list = document.getIn(path);
  if (!isSeq(list)) throw unknown("is none that kubeadm made");
  list.flow = false;
  return list;
}

function insert(document: Document, list: YAMLSeq, value: object, isLater: (each: unknown) => boolean): void {
  const at = list.items.findIndex(isLater);
  list.items.splice(at < 0 ? list.items.length : at, 0, document.createNode(value));
}

/** Returns the names of the entries that were removed. */
function removeFrom(
  document: Document,
  path: readonly (string | number)[],
  isOurs: (entry: YAMLMap) => boolean,
): string[] {
  const list = document.getIn(path);
  if (!isSeq(list)) return [];
  const ours = list.items.filter((each): each is YAMLMap => isMap(each) && isOurs(each));
  list.items = list.items.filter((each) => !ours.some((removed) => removed === each));
  if (list.items.length === 0) document.deleteIn(path);
  return ours.map((each) => String(each.get("name")));
}

/** Returns the text of a scalar. */
const wordOf = (node: unknown): string =>
  String((node as { readonly value?: unknown } | undefined)?.value ?? "");

const isFlag = (node: unknown, name: string): boolean => wordOf(node).startsWith(`--${name}=`);

const flagIn = (words: readonly string[], name: string): string | undefined =>
  words.findLast((each) => each.startsWith(`--${name}=`))?.slice(name.length + 3);

const unknown = (what: string): ClavigerError =>
  new ClavigerError(
    "InvalidArgument",
    `${PATHS.apiServer} ${what}: install claviger by hand, as docs/install/by-hand.md says`,
  );
