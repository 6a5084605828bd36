import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { must } from "../kubeadm/must.ts";

/** Makes a certificate that expires in some days, signed by itself: cert.pem and key.pem in a folder. */
export async function shortCertificate(folder: string, days: number) {
  const [key, cert] = [join(folder, "key.pem"), join(folder, "cert.pem")];
  const curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"];
  const request = ["-x509", "-days", String(days), "-subj", "/CN=node", "-keyout", key, "-out", cert];
  await must("openssl", ["req", ...curve, ...request]);
  return { cert, key };
}

/**
 * Adds a client certificate that expires in some days to the user of a kubeconfig, and returns its path. The API
 * server asks for no certificate, so that the user's token still counts.
 */
export async function withShortCertificate(kubeconfig: string, days: number): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "clv-certificate-"));
  const { cert, key } = await shortCertificate(folder, days);
  const config = JSON.parse(await readFile(kubeconfig, "utf8"));
  Object.assign(config.users[0].user, {
    "client-certificate-data": await readFile(cert, "base64"),
    "client-key-data": await readFile(key, "base64"),
  });
  await writeFile(kubeconfig, JSON.stringify(config));
  await rm(folder, { recursive: true });
  return kubeconfig;
}
