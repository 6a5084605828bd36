import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type CertificateFiles, selfSigned } from "../../src/testing/certificate.ts";

/** Makes a certificate that expires in some days, signed by itself: cert.pem and key.pem in a folder. */
export function shortCertificate(folder: string, days: number): CertificateFiles {
  const files = { cert: join(folder, "cert.pem"), key: join(folder, "key.pem") };
  selfSigned(files, { name: "node", days });
  return files;
}

/**
 * Adds a client certificate that expires in some days to the user of a kubeconfig, and returns its path. The API
 * server asks for no certificate, so that the user's token still counts.
 */
export async function withShortCertificate(kubeconfig: string, days: number): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "clv-certificate-"));
  const { cert, key } = shortCertificate(folder, days);
  const config = JSON.parse(await readFile(kubeconfig, "utf8"));
  Object.assign(config.users[0].user, {
    "client-certificate-data": await readFile(cert, "base64"),
    "client-key-data": await readFile(key, "base64"),
  });
  await writeFile(kubeconfig, JSON.stringify(config));
  await rm(folder, { recursive: true });
  return kubeconfig;
}
