import { get as getHttp } from "node:http";
import { get as getHttps } from "node:https";
import type { NodeConfig } from "../../config/config.ts";
import type { ListenConfig } from "../../config/listen.ts";
import { messageOf } from "../../errors.ts";

const DEADLINE_MILLISECONDS = 5_000;

/** Returns why this node's AWS KMS API answers no requests; undefined if it does, or is not configured. */
export async function apiFault(config: NodeConfig): Promise<string | undefined> {
  const { api } = config;
  if (api === undefined) return undefined;
  try {
    const { checkApi } = await import("../../aws/api.ts");
    checkApi(config);
  } catch (error) {
    return messageOf(error);
  }
  return silence(api);
}

/** Returns why nobody at an address says that the API is ready; undefined if somebody does. */
export async function silence({ listen, tls }: ListenConfig): Promise<string | undefined> {
  try {
    const status = await readiness(listen, tls !== undefined);
    return status === 200 ? undefined : "it is not ready: its keyring cannot be read, or it stops";
  } catch (error) {
    return messageOf(error);
  }
}

/** The certificate is not verified: it is made for the names that clients use, and no secret is sent. */
function readiness(listen: string, isTls: boolean): Promise<number | undefined> {
  const address = listen.replace(/^(?:0\.0\.0\.0|\[::\]):/, "127.0.0.1:");
  const signal = AbortSignal.timeout(DEADLINE_MILLISECONDS);
  return new Promise((resolve, reject) => {
    const request = isTls
      ? getHttps(`https://${address}/readyz`, { rejectUnauthorized: false, signal })
      : getHttp(`http://${address}/readyz`, { signal });
    request.on("error", reject);
    request.on("response", (response) => {
      response.resume();
      resolve(response.statusCode);
    });
  });
}
