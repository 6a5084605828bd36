import { X509Certificate } from "node:crypto";
import { dirname, resolve } from "node:path";
import { readRegularText } from "../files/regular-file.ts";
import { readKubeconfig, userOf } from "./kubeconfig/kubeconfig.ts";

/** A file with a certificate. */
export interface CertificateFile {
  readonly path: string;
  /** Epoch milliseconds. */
  readonly expiresAt: number;
}

const MAX_BYTES = 1024 * 1024;

/**
 * Returns when the client certificate of a kubeconfig expires, in epoch milliseconds, or undefined if its user
 * has none. Throws if the kubeconfig or the certificate cannot be read.
 */
export function kubeconfigExpiry(path: string): number | undefined {
  const { certData, certFile } = userOf(readKubeconfig(path)) ?? {};
  if (certData) return expiryOf(Buffer.from(certData, "base64"));
  return certFile ? certificateExpiry(resolve(dirname(path), certFile)) : undefined;
}

/** Returns when the first certificate of a PEM file expires, in epoch milliseconds. */
export const certificateExpiry = (path: string): number =>
  expiryOf(readRegularText(path, { maxBytes: MAX_BYTES }));

/** Reads when the certificate in a file expires. Returns none if there is none, or if it cannot be read. */
export function expiryIn(
  path: string | undefined,
  read: (path: string) => number | undefined,
): readonly CertificateFile[] {
  if (path === undefined) return [];
  try {
    const expiresAt = read(path);
    return expiresAt === undefined ? [] : [{ path, expiresAt }];
  } catch {
    return [];
  }
}

const expiryOf = (pem: string | Buffer): number => new X509Certificate(pem).validToDate.getTime();
