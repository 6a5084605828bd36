import { stringify } from "yaml";
import { type NodeConfig, parseConfig } from "../src/config/config.ts";
import type { DEFAULT_LIMITS } from "../src/config/limits.ts";

/** A field of the configuration, as docs/reference.md describes it. */
export interface ConfigField {
  readonly name: string;
  readonly text: string;
  /** Says what applies without the field. Taken from the configuration's own check if left out. */
  readonly without?: string;
  /** Returns the value that the code uses if the field is left out. */
  readonly fallback?: (config: NodeConfig) => unknown;
}

/** A configuration that has the needed fields and one provider, and one with every section. */
const PROVIDER = { name: "secrets", socket: "/run/secrets.sock", key: "claviger-system/secrets" };
const MINIMAL = {
  apiVersion: "config.claviger.dev/v1alpha1",
  kind: "NodeConfig",
  stateDir: "/state",
  seal: { file: { path: "/root.key" } },
  providers: [PROVIDER],
  kubeconfig: "/kubeconfig",
};
const SECTIONS = {
  ...MINIMAL,
  rewriter: { kubeconfig: "/rewriter.kubeconfig" },
  etcd: { endpoints: ["https://127.0.0.1:2379"], ca: "/ca.crt" },
  audit: { path: "/audit.jsonl" },
};

const limit = (name: keyof typeof DEFAULT_LIMITS, text: string): ConfigField => ({
  name: `limits.${name}`,
  text: `${text}: [tenants](operations/tenants.md); the same on every node`,
  fallback: ({ limits }) => limits[name],
});

/** Every field that the code reads, in the order of the page. */
export const CONFIG_FIELDS: readonly ConfigField[] = [
  { name: "apiVersion", text: "`config.claviger.dev/v1alpha1`" },
  { name: "kind", text: "`NodeConfig`" },
  {
    name: "nodeName",
    text: "this node's name: of its KeyServer, its Leases, and its Node object",
    without: "the host's name",
  },
  { name: "stateDir", text: "the folder of the keyring" },
  { name: "seal.file.path", text: "the root key: 32 bytes, mode 0600 or stricter" },
  { name: "socketGroup", text: "id (number) of a group that may use the sockets in addition to the owner" },
  { name: "providers", text: "a list; one socket each" },
  { name: "providers[].name", text: "the provider's name, as in the EncryptionConfiguration" },
  {
    name: "providers[].socket",
    text: "the socket's path, at most 107 bytes, in a folder of mode 0700 (0750 with `socketGroup`)",
  },
  { name: "providers[].key", text: "`NAMESPACE/NAME` of a MasterKey; or", without: "one of the two" },
  { name: "providers[].alias", text: "`NAMESPACE/NAME` of a KeyAlias", without: "one of the two" },
  {
    name: "providers[].allowImported",
    text: "if true, the provider may move to imported material: [tenants](operations/tenants.md)",
    without: "`false`",
  },
  {
    name: "manifests",
    text: "a folder of MasterKeys and KeyAliases (`.yaml`, `.yml`, `.json`, lists too): standalone; or",
    without: "one of the two",
  },
  {
    name: "kubeconfig",
    text: "the API server's address and the operator's credentials",
    without: "one of the two",
  },
  {
    name: "rewriter.kubeconfig",
    text: "a second kubeconfig, in the group `claviger:rewriters`, whose user lists and patches stored objects; only used while this operator leads and there are objects to rewrite or to count",
    without: "as `kubeconfig`",
  },
  {
    name: "encryptionConfig",
    text: "the EncryptionConfiguration of the API server next to this node, which says which resources are stored through which provider",
  },
  {
    name: "etcd.endpoints",
    text: "a list of `https://HOST:PORT` of the API servers' etcd, tried in this order; claviger only reads etcd (`http://` on loopback only)",
    without: "without `etcd`, nothing is verified",
  },
  { name: "etcd.ca", text: "the certificate that verifies the endpoints", without: "needed with `https`" },
  { name: "etcd.cert", text: "claviger's client certificate for etcd" },
  { name: "etcd.key", text: "the key of that certificate" },
  { name: "etcd.prefix", text: "the API servers' `--etcd-prefix`", fallback: ({ etcd }) => etcd?.prefix },
  {
    name: "etcd.censusIntervalMinutes",
    text: "how often `Complete` data are counted again while this node leads, 1 to 10080",
    without: "60",
  },
  limit("masterKeysPerNamespace", "MasterKeys of one namespace"),
  limit("keyAliasesPerNamespace", "KeyAliases of one namespace"),
  limit("keyVersionsPerNamespace", "KeyVersions of one namespace"),
  limit("rotationsPerKeyPerHour", "requested rotations and imports of one key"),
  limit("rotationsPerNamespacePerHour", "requested rotations and imports of one namespace"),
  {
    name: "leaseNamespace",
    text: "the namespace of the Leases",
    fallback: ({ leaseNamespace }) => leaseNamespace,
  },
  {
    name: "log.format",
    text: "the format of the log's lines: `text`, or `json` for a JSON object each; a restart applies it",
    fallback: ({ logFormat }) => logFormat,
  },
  {
    name: "audit.path",
    text: "the file, `*.jsonl`, of the newest lines of the [audit log](audit.md); its other files stand beside it",
    without: "nothing is recorded",
  },
  {
    name: "audit.cluster",
    text: "the name of the cluster, as the log's checkpoints have it",
    fallback: ({ audit }) => audit?.cluster,
  },
  {
    name: "audit.unavailable",
    text: "the AWS KMS API's answers if a record cannot be written: `refuse`, or `continue` without records",
    fallback: ({ audit }) => audit?.unavailable,
  },
  {
    name: "audit.segmentMebibytes",
    text: "the size of a file of the log; a full file is compressed, and another is begun",
    without: "64",
  },
  { name: "metrics.listen", text: "HOST:PORT of the plugin's metrics" },
  { name: "metrics.operatorListen", text: "HOST:PORT of the operator's metrics" },
  { name: "metrics.apiListen", text: "HOST:PORT of the metrics of the AWS KMS API" },
  {
    name: "console.listen",
    text: "HOST:PORT of the operator's [web page](console.md), on loopback unless there is `console.tls`",
    without: "no page is served",
  },
  { name: "console.tls.cert", text: "the page's certificate, with its chain; read again when it changes" },
  { name: "console.tls.key", text: "the key of that certificate" },
  {
    name: "aws.listen",
    text: "HOST:PORT of the [AWS KMS API](aws.md), on loopback unless there is `aws.tls`",
    without: "no API is served",
  },
  { name: "aws.tls.cert", text: "the API's certificate, with its chain; read again when it changes" },
  { name: "aws.tls.key", text: "the key of that certificate" },
  {
    name: "aws.credentials",
    text: "a file, mode 0600, with a list of `accessKeyId`, `secretAccessKey`, `user`, `groups`; read again when it changes",
    without: "needed with `aws.listen`, unless there is `aws.sessions`",
  },
  {
    name: "aws.kubeconfig",
    text: "the kubeconfig of the API's own user, a file of its own, who may create SubjectAccessReviews and TokenReviews: RBAC then says who may do what",
    without: "only the group `system:masters` may do anything",
  },
  {
    name: "aws.sessions.key",
    text: "NAMESPACE/NAME of the MasterKey that seals [temporary credentials](aws.md#serviceaccounts)",
    without: "there are none",
  },
  {
    name: "aws.sessions.audience",
    text: "the audience of the ServiceAccount tokens that are exchanged for temporary credentials",
    without: "`kms.claviger.dev`",
  },
  {
    name: "aws.namespace",
    text: "the namespace of callers that are no ServiceAccounts",
    without: "`default`",
  },
  {
    name: "aws.workers",
    text: "the number of processes that answer, 1 to 64",
    without: "the processors, at most 4",
  },
  { name: "aws.account", text: "12 digits, in ARNs", fallback: ({ account }) => account },
  { name: "aws.region", text: "in ARNs", fallback: ({ region }) => region },
];

/** Returns what applies without a field: the code refuses the file, has a default, or does without. */
export function withoutField({ name, without, fallback }: ConfigField): string {
  if (without !== undefined) return without;
  if (fallback !== undefined) return `\`${String(fallback(parse(SECTIONS)))}\``;
  return isNeeded(name) ? "needed" : "none";
}

/** Returns true if the code refuses a configuration only because this field is missing. */
function isNeeded(name: string): boolean {
  const document = structuredClone(SECTIONS);
  const path = name.split(".").flatMap((part) => (part.endsWith("[]") ? [part.slice(0, -2), "0"] : [part]));
  const field = path.pop() ?? "";
  let place: object | undefined = document;
  for (const part of path) place = Reflect.get(place ?? {}, part);
  if (place === undefined || !Object.hasOwn(place, field)) return false;
  Reflect.deleteProperty(place, field);
  return !isAccepted(document);
}

const parse = (document: object): NodeConfig =>
  parseConfig(stringify(document), "/etc/claviger/claviger.yaml");

function isAccepted(document: object): boolean {
  try {
    parse(document);
    return true;
  } catch {
    return false;
  }
}
