import { dirname, isAbsolute, join } from "node:path";
import {
  type Cluster,
  type Context,
  newClusters,
  newContexts,
  newUsers,
  type User,
} from "@kubernetes/client-node/dist/config_types.js";
import { load } from "js-yaml";
import { ClavigerError, messageOf } from "../../errors.ts";
import { readOwnFile } from "../../files/own-file.ts";
import { fieldsOf } from "../../json.ts";

/** A kubeconfig of hundreds of clusters is smaller. */
const MAX_FILE_BYTES = 4 * 1024 * 1024;

/** A user of a kubeconfig. client-node leaves its tokenFile out, which takes precedence over its token (client-go). */
export interface KubeconfigUser extends User {
  readonly tokenFile?: unknown;
}

/** A kubeconfig that was read. Paths of certificates and keys are absolute; the path of a token is as in the file. */
export interface Kubeconfig {
  readonly clusters: readonly Cluster[];
  readonly users: readonly KubeconfigUser[];
  readonly contexts: readonly Context[];
  /** It is only compared with names. */
  readonly currentContext: unknown;
}

/**
 * Reads a kubeconfig, with the given context as its current context. The file names programs to run and
 * servers to trust, so nobody else may be able to change it. Throws ConfigInvalid.
 */
export function readKubeconfig(path: string, context?: string): Kubeconfig {
  try {
    const read = inFolder(dirname(path), parsed(readOwnFile(path, MAX_FILE_BYTES)));
    return context === undefined ? read : withContext(read, context);
  } catch (cause) {
    throw new ClavigerError("ConfigInvalid", `kubeconfig ${path} cannot be used: ${faultOf(cause)}`);
  }
}

/** client-node checks the entries, and throws an Error that names the field that is missing. */
function parsed(text: string): Kubeconfig {
  const { clusters, users, contexts, "current-context": current } = fieldsOf(load(text));
  const entries: readonly unknown[] = Array.isArray(users) ? users : [];
  return {
    clusters: newClusters(clusters),
    users: newUsers(users).map((user, at) => ({ ...user, ...tokenFileOf(entries[at]) })),
    contexts: newContexts(contexts),
    currentContext: current,
  };
}

function tokenFileOf(entry: unknown): { readonly tokenFile?: unknown } {
  const { tokenFile } = fieldsOf(fieldsOf(entry).user);
  return tokenFile === undefined ? {} : { tokenFile };
}

function inFolder(folder: string, { clusters, users, ...rest }: Kubeconfig): Kubeconfig {
  const absolute = (path: string) => (isAbsolute(path) ? path : join(folder, path));
  return {
    ...rest,
    clusters: clusters.map(({ caFile, ...each }) => ({
      ...each,
      ...(caFile && { caFile: absolute(caFile) }),
    })),
    users: users.map(({ certFile, keyFile, ...each }) => ({
      ...each,
      ...(certFile && { certFile: absolute(certFile) }),
      ...(keyFile && { keyFile: absolute(keyFile) }),
    })),
  };
}

function withContext(kubeconfig: Kubeconfig, context: string): Kubeconfig {
  const names = kubeconfig.contexts.map(({ name }) => name);
  if (!names.includes(context)) throw new Error(`it has no context ${context}; it has ${names.join(", ")}`);
  return { ...kubeconfig, currentContext: context };
}

const currentContextOf = ({ contexts, currentContext }: Kubeconfig): Context | undefined =>
  contexts.find(({ name }) => name === currentContext);

/** Returns the cluster of the current context. */
export const clusterOf = (kubeconfig: Kubeconfig): Cluster | undefined => {
  const context = currentContextOf(kubeconfig);
  return kubeconfig.clusters.find(({ name }) => name === context?.cluster);
};

/** Returns the user of the current context. */
export const userOf = (kubeconfig: Kubeconfig): KubeconfigUser | undefined => {
  const context = currentContextOf(kubeconfig);
  return kubeconfig.users.find(({ name }) => name === context?.user);
};

/** Returns the namespace of the current context, as kubectl uses it: "default" if the context names none. */
export const namespaceOf = (kubeconfig: Kubeconfig): string =>
  currentContextOf(kubeconfig)?.namespace || "default";

/** Returns the server of the current context. Throws ConfigInvalid if it has none. */
export function serverOf(kubeconfig: Kubeconfig, path: string): URL {
  const server = clusterOf(kubeconfig)?.server;
  if (server?.startsWith("https://") && URL.canParse(server)) return new URL(server);
  const text = `kubeconfig ${path} has no current context with an https server`;
  throw new ClavigerError("ConfigInvalid", text);
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
