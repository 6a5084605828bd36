import { existsSync } from "node:fs";
import { get as getHttp } from "node:http";
import { get as getHttps } from "node:https";
import { dirname } from "node:path";
import type { ApiConfig } from "../../config/aws-config.ts";
import type { NodeConfig } from "../../config/config.ts";
import type { ListenConfig } from "../../config/listen.ts";
import { messageOf } from "../../errors.ts";

const DEADLINE_MILLISECONDS = 5_000;

/**
 * Returns why this node's AWS KMS API answers no requests; undefined if it does, is not configured, or runs in a pod
 * that cannot be seen from here.
 */
export async function apiFault(config: NodeConfig): Promise<string | undefined> {
  const { api } = config;
  if (api === undefined || hasMountedCertificate(api)) return undefined;
  try {
    const { checkApi } = await import("../../aws/api.ts");
    checkApi(config);
  } catch (error) {
    return messageOf(error);
  }
  const fault = await silence(api);
  return fault !== undefined && mayBeInPod(api) && fault.includes("ECONNREFUSED") ? undefined : fault;
}

/** A pod's certificate may be a Secret, whose folder exists in the pod only. */
const hasMountedCertificate = ({ tls }: ApiConfig): boolean =>
  tls !== undefined && !existsSync(dirname(tls.cert));

/** A pod has a network of its own: every address of it is none of the node's. */
const mayBeInPod = ({ listen, kubeconfig }: ApiConfig): boolean =>
  kubeconfig !== undefined && WILDCARD.test(listen);

const WILDCARD = /^(?:0\.0\.0\.0|\[::\]):/;

const NOT_READY =
  "it is not ready: its keyring cannot be read, the operator of this node has not recorded all keys and grants yet, or it stops";

/** Returns why nobody at an address says that the API is ready; undefined if somebody does. */
export async function silence({ listen, tls }: ListenConfig): Promise<string | undefined> {
  try {
    const status = await readiness(listen, tls !== undefined);
    return status === 200 ? undefined : NOT_READY;
  } catch (error) {
    return messageOf(error);
  }
}

/** The certificate is not verified: it is made for the names that clients use, and no secret is sent. */
function readiness(listen: string, isTls: boolean): Promise<number | undefined> {
  const address = listen.replace(WILDCARD, "127.0.0.1:");
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
