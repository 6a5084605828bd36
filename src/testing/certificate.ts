import { execFileSync } from "node:child_process";

export interface CertificateFiles {
  readonly cert: string;
  readonly key: string;
}

/**
 * Makes a P-256 certificate that is signed by itself, and so is its own authority, and its key. It is for loopback,
 * and `name` is its common name. Throws an error with the code ENOENT if there is no openssl.
 */
export function selfSigned({ cert, key }: CertificateFiles, { name = "localhost", days = 2 } = {}): void {
  const curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"];
  const names = ["-subj", `/CN=${name}`, "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"];
  const files = ["-keyout", key, "-out", cert];
  execFileSync("openssl", ["req", "-x509", ...curve, "-days", String(days), ...names, ...files], {
    stdio: "pipe",
  });
}
