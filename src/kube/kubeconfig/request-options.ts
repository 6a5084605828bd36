import type { RequestOptions } from "node:https";
import type { Credentials } from "./credentials.ts";

/**
 * Returns how to call an API server with these credentials. The Kubernetes client is loaded for two things
 * only, because that takes longer than most commands: proxies, and the auth-providers that came before
 * credential plugins.
 */
export async function requestOptions(credentials: Credentials): Promise<RequestOptions> {
  const { cluster, user } = credentials;
  if (!cluster?.proxyUrl && !user?.authProvider) return usualOptions(credentials);
  const { optionsByClient } = await import("./options-by-client.ts");
  return optionsByClient(credentials);
}

/** Returns the options of credentials without a proxy and an auth-provider. Tests compare them with the Kubernetes client's. */
export const usualOptions = (credentials: Credentials): RequestOptions => ({
  ...serverOptions(credentials),
  ...identityOptions(credentials),
});

function serverOptions({ cluster }: Credentials): RequestOptions {
  const { skipTLSVerify, tlsServerName, caData } = cluster ?? {};
  return {
    ...(skipTLSVerify && { rejectUnauthorized: false }),
    ...(tlsServerName && { servername: tlsServerName }),
    ...(caData && { ca: fromBase64(caData) }),
  };
}

function identityOptions({ user }: Credentials): RequestOptions {
  if (user === undefined) return {};
  const { certData, keyData, username, password, token, impersonateUser } = user;
  return {
    ...(certData && { cert: fromBase64(certData) }),
    ...(keyData && { key: fromBase64(keyData) }),
    ...(username && { auth: `${username}:${password ?? ""}` }),
    headers: {
      ...(impersonateUser && { "Impersonate-User": impersonateUser }),
      ...(token && { Authorization: `Bearer ${token}` }),
    },
  };
}

const fromBase64 = (text: string): Buffer => Buffer.from(text, "base64");
