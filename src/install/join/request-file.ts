import { createPrivateKey, type KeyObject } from "node:crypto";
import { ClavigerError } from "../../errors.ts";
import { fieldsOf, parsedJson } from "../../json.ts";
import { readApiServerManifest } from "../kubeadm/api-server-manifest.ts";
import { hostPort } from "../kubeadm/cluster-configuration.ts";
import { PATHS } from "../paths.ts";
import { placeOf, type Site } from "../site.ts";
import { exists, removeFile, textOf, writeText } from "../text-file.ts";
import { encodeRequest, oneTimeKeyPair } from "./request.ts";

/** The request that this node waits to have answered, and the key that opens the answer. */
export interface OpenRequest {
  readonly request: Buffer;
  readonly privateKey: KeyObject;
}

/**
 * Makes this node's request and keeps its private key, which opens one answer. A new request replaces an
 * earlier one, whose answer then does not open any more. Throws InvalidArgument if there is a root key.
 */
export function makeRequest(site: Pick<Site, "root" | "nodeName">, now: number): Buffer {
  if (exists(placeOf(site, PATHS.rootKey))) {
    throw new ClavigerError(
      "InvalidArgument",
      `this node has a root key already, ${PATHS.rootKey}, and needs no other node's: move it away first if nothing is encrypted under it`,
    );
  }
  const { publicKey, privateKey } = oneTimeKeyPair();
  const { nodeName } = site;
  const request = encodeRequest({ publicKey, createdAt: now, nodeName, address: addressOf(site) });
  const pem = privateKey.export({ format: "pem", type: "pkcs8" });
  const kept = { request: request.toString("base64"), privateKey: pem };
  writeText(placeOf(site, PATHS.joinKey), `${JSON.stringify(kept)}\n`, 0o600);
  return request;
}

/** Returns the address of the API server on this node, or nothing if there is none. */
function addressOf(site: Pick<Site, "root">): string {
  const manifest = textOf(placeOf(site, PATHS.apiServer));
  return manifest === undefined ? "" : hostPort(readApiServerManifest(manifest));
}

/** Reads the request that waits for its answer. Throws InvalidArgument if there is none. */
export function readOpenRequest(site: Pick<Site, "root">): OpenRequest {
  const { request, privateKey } = fieldsOf(parsedJson(textOf(placeOf(site, PATHS.joinKey)) ?? ""));
  if (typeof request !== "string" || typeof privateKey !== "string") {
    throw new ClavigerError(
      "InvalidArgument",
      "no request of this node waits for an answer, and each answer opens once: make a request with claviger join --request",
    );
  }
  return { request: Buffer.from(request, "base64"), privateKey: createPrivateKey(privateKey) };
}

/** Forgets the private key, so that nothing opens the answer again. */
export const forgetRequest = (site: Pick<Site, "root">): void => removeFile(placeOf(site, PATHS.joinKey));
