import { dirname, resolve } from "node:path";
import type { Cluster } from "@kubernetes/client-node/dist/config_types.js";
import { readSmall } from "./credential-file.ts";
import { pluginOf, runCredentialPlugin } from "./credential-plugin.ts";
import { clusterOf, type Kubeconfig, type KubeconfigUser, userOf } from "./kubeconfig.ts";

/** The cluster and the user of a kubeconfig's current context, with certificates, keys and tokens instead of their paths. */
export interface Credentials {
  readonly cluster: Cluster | undefined;
  readonly user: KubeconfigUser | undefined;
}

/**
 * Loads the credentials that a kubeconfig names: a plugin's answer, a token file, certificates. Throws an
 * Error that says why they cannot be loaded.
 */
export async function loadCredentials(
  kubeconfig: Kubeconfig,
  path: string,
  signal: AbortSignal,
): Promise<Credentials> {
  const [cluster, user] = [clusterOf(kubeconfig), userOf(kubeconfig)];
  const authenticated = user && (await authenticate(user, dirname(path), signal));
  return {
    cluster: cluster && withCertificates(cluster),
    user: authenticated && withKeyPair(authenticated),
  };
}

async function authenticate(
  user: KubeconfigUser,
  folder: string,
  signal: AbortSignal,
): Promise<KubeconfigUser> {
  const { exec, ...rest } = user;
  if (exec === undefined || exec === null) return withToken(user, folder);
  const credential = await runCredentialPlugin(pluginOf(exec, folder), signal);
  return credential.certData === undefined
    ? { ...rest, ...credential }
    : { ...withoutKeyPair(rest), ...credential };
}

/** Files would take precedence over the certificate of a plugin. */
function withoutKeyPair({ certFile: _, keyFile: __, ...rest }: KubeconfigUser): KubeconfigUser {
  return rest;
}

function withToken(user: KubeconfigUser, folder: string): KubeconfigUser {
  const { tokenFile } = user;
  if (typeof tokenFile !== "string" || tokenFile === "") return user;
  const token = readSmall(resolve(folder, tokenFile)).toString("utf8").trim();
  return { ...user, token };
}

/** client-node would read any file at these paths, and wait for ever for a pipe. */
function withCertificates(cluster: Cluster): Cluster {
  const { caFile, ...rest } = cluster;
  return caFile ? { ...rest, caData: inBase64(caFile) } : cluster;
}

function withKeyPair({ certFile, keyFile, ...rest }: KubeconfigUser): KubeconfigUser {
  return {
    ...rest,
    ...(certFile && { certData: inBase64(certFile) }),
    ...(keyFile && { keyData: inBase64(keyFile) }),
  };
}

const inBase64 = (path: string): string => readSmall(path).toString("base64");
