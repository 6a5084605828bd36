import { existsSync } from "node:fs";
import { join } from "node:path";
import { selfSigned } from "../../src/testing/certificate.ts";

/**
 * Puts a certificate and its key into a folder that has none: NAME.crt and NAME.key, which a Kubernetes server
 * finds in its --cert-dir. The server itself would make an RSA key, which costs a tenth of its start, and then 1 ms of
 * every connection; P-256 costs a tenth of that. Without openssl the server makes its own.
 */
export function putServingCertificate(dir: string, name: string): void {
  const files = { cert: join(dir, `${name}.crt`), key: join(dir, `${name}.key`) };
  if (existsSync(files.cert)) return;
  try {
    selfSigned(files, { days: 365 });
  } catch (error) {
    if (!(error instanceof Error && "code" in error && error.code === "ENOENT")) throw error;
  }
}
