import { access } from "node:fs/promises";
import { join } from "node:path";
import { run } from "./run.ts";

/**
 * Puts a certificate for loopback, signed by itself, and its key into a folder that has none: NAME.crt and
 * NAME.key, which a Kubernetes server finds in its --cert-dir. The server itself would make an RSA key, which
 * costs a tenth of its start, and then 1 ms of every connection; P-256 costs a tenth of that. Without openssl the
 * server makes its own.
 */
export async function putServingCertificate(dir: string, name: string): Promise<void> {
  const [key, cert] = [join(dir, `${name}.key`), join(dir, `${name}.crt`)];
  if (await exists(cert)) return;
  const curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"];
  const names = ["-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1,DNS:localhost"];
  const { code, stderr } = await run("openssl", [
    "req",
    "-x509",
    ...curve,
    ...names,
    "-days",
    "365",
    "-keyout",
    key,
    "-out",
    cert,
  ]).catch(withoutOpenssl);
  if (code !== 0) throw new Error(`openssl made no certificate in ${dir} (${code}): ${stderr.slice(-500)}`);
}

const exists = (path: string): Promise<boolean> =>
  access(path).then(
    () => true,
    () => false,
  );

function withoutOpenssl(error: NodeJS.ErrnoException): { code: number; stderr: string } {
  if (error.code !== "ENOENT") throw error;
  return { code: 0, stderr: "" };
}
