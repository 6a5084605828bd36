import { dirname, resolve } from "node:path";
import { KubeConfig, loadYaml } from "@kubernetes/client-node";
import { ClavigerError, messageOf } from "../errors.ts";
import { readOwnFile } from "../files/own-file.ts";
import { readRegularFile } from "../files/regular-file.ts";
import { pluginOf, runCredentialPlugin } from "./credential-plugin.ts";

/**
 * A kubeconfig of hundreds of clusters is smaller, and so is a token or a bundle of certificate authorities.
 */
const MAX_FILE_BYTES = 4 * 1024 * 1024;
/** A kubeconfig that was read, and its text. */
export interface Kubeconfig {
  readonly config: KubeConfig;
  readonly text: string;
}

/**
 * Reads a kubeconfig, with the given context as its current context. The file names programs to run and servers to trust, so nobody else may be able to
 * change it. Throws ConfigInvalid.
 */
export function readKubeconfig(path: string, context?: string): Kubeconfig {
  const config = new KubeConfig();
  try {
    const text = readOwnFile(path, MAX_FILE_BYTES);
    config.loadFromString(text);
    config.makePathsAbsolute(dirname(path));
    if (context !== undefined) chooseContext(config, context);
    return { config, text };
  } catch (cause) {
    throw new ClavigerError("ConfigInvalid", `kubeconfig ${path} cannot be used: ${faultOf(cause)}`);
  }
}

function chooseContext(config: KubeConfig, context: string): void {
  const names = config.contexts.map(({ name }) => name);
  if (!names.includes(context)) throw new Error(`it has no context ${context}; it has ${names.join(", ")}`);
  config.setCurrentContext(context);
}

/** Returns the namespace of the current context, as kubectl uses it: "default" if the context names none. */
export const namespaceOf = ({ config }: Kubeconfig): string =>
  config.getContextObject(config.getCurrentContext())?.namespace || "default";

/** Returns the server of the current context. Throws ConfigInvalid if it has none. */
export function serverOf(config: KubeConfig, path: string): URL {
  const server = config.getCurrentCluster()?.server;
  if (server?.startsWith("https://") && URL.canParse(server)) return new URL(server);
  const text = `kubeconfig ${path} has no current context with an https server`;
  throw new ClavigerError("ConfigInvalid", text);
}

/** The address of an API server and what verifies it: a connection without an identity. */
export interface ServerTrust {
  readonly server: string;
  /** Certificates in PEM; the system's if left out. */
  readonly ca?: string;
  /** The name in the server's certificate; the host of its address if left out. */
  readonly servername?: string;
}

/**
 * Reads the address of the API server, and what verifies it, from a kubeconfig. Throws ConfigInvalid, also if
 * the kubeconfig does not verify the server or uses a proxy: other people's tokens are sent to it.
 */
export function readServerTrust(path: string): ServerTrust {
  const { config } = readKubeconfig(path);
  const server = serverOf(config, path).href;
  const { caData, caFile, tlsServerName, skipTLSVerify, proxyUrl } = config.getCurrentCluster() ?? {};
  const unfit = (why: string) => new ClavigerError("ConfigInvalid", `kubeconfig ${path}: ${why}`);
  if (skipTLSVerify)
    throw unfit("insecure-skip-tls-verify is set, and tokens go to a verified API server only");
  if (proxyUrl) throw unfit("proxy-url is set, and the console uses no proxy");
  try {
    const ca = caData ? Buffer.from(caData, "base64").toString() : caFile && readSmall(caFile).toString();
    return { server, ...(ca && { ca }), ...(tlsServerName && { servername: tlsServerName }) };
  } catch (cause) {
    throw unfit(messageOf(cause));
  }
}

/**
 * Loads the credentials that a kubeconfig names into it: a plugin's answer, a token file, certificates.
 * Throws an Error that says why they cannot be loaded.
 */
export async function loadCredentials(
  { config, text }: Kubeconfig,
  path: string,
  signal: AbortSignal,
): Promise<void> {
  const plugin = config.getCurrentUser()?.exec;
  if (plugin !== undefined) await authenticateBy(plugin, config, dirname(path), signal);
  else authenticateByFile(config, path, text);
  readCertificates(config);
}

/** The plugin's answer replaces the credentials of the kubeconfig's user. */
async function authenticateBy(
  exec: unknown,
  config: KubeConfig,
  folder: string,
  signal: AbortSignal,
): Promise<void> {
  const credential = await runCredentialPlugin(pluginOf(exec, folder), signal);
  const user = config.getCurrentUser();
  if (user === null) return;
  const { exec: _, ...rest } = user;
  if (credential.certData !== undefined) {
    delete rest.certFile;
    delete rest.keyFile;
  }
  config.users = config.users.map((each) => (each === user ? { ...rest, ...credential } : each));
}

/** client-node ignores a user's tokenFile, which takes precedence over its token (client-go). */
function authenticateByFile(config: KubeConfig, path: string, text: string): void {
  const user = config.getCurrentUser();
  if (user === null) return;
  const raw = loadYaml<RawKubeconfig>(text).users?.find(({ name }) => name === user.name);
  const tokenFile = raw?.user?.tokenFile;
  if (typeof tokenFile !== "string" || tokenFile === "") return;
  const token = readSmall(resolve(dirname(path), tokenFile))
    .toString("utf8")
    .trim();
  config.users = config.users.map((each) => (each === user ? { ...user, token } : each));
}

/** client-node would read any file at these paths, and wait for ever for a pipe. */
function readCertificates(config: KubeConfig): void {
  const inBase64 = (path: string) => readSmall(path).toString("base64");
  const cluster = config.getCurrentCluster();
  const user = config.getCurrentUser();
  config.clusters = config.clusters.map((each) => {
    const { caFile, ...rest } = each;
    return each !== cluster || !caFile ? each : { ...rest, caData: inBase64(caFile) };
  });
  config.users = config.users.map((each) => {
    if (each !== user) return each;
    const { certFile, keyFile, ...rest } = each;
    return {
      ...rest,
      ...(certFile && { certData: inBase64(certFile) }),
      ...(keyFile && { keyData: inBase64(keyFile) }),
    };
  });
}

/** Throws an Error that names the file. */
function readSmall(path: string): Buffer {
  try {
    return readRegularFile(path, { maxBytes: MAX_FILE_BYTES });
  } catch (cause) {
    throw new Error(`${path}: ${messageOf(cause)}`);
  }
}

/**
 * Returns the message of an error; for a parser's error only the position, because the parser may quote the
 * file, which has tokens in it.
 */
export function faultOf(error: unknown): string {
  const { reason, mark } = error as { readonly reason?: unknown; readonly mark?: Mark };
  if (typeof reason !== "string") return messageOf(error);
  if (mark === undefined) return "it is not YAML";
  return `line ${mark.line + 1}, column ${mark.column + 1} is not YAML`;
}

/** The position of a fault for js-yaml, from 0. */
interface Mark {
  readonly line: number;
  readonly column: number;
}

/** The parts of a kubeconfig that client-node leaves out. It has read the same file before. */
interface RawKubeconfig {
  readonly users?: readonly {
    readonly name?: unknown;
    readonly user?: { readonly tokenFile?: unknown };
  }[];
}
