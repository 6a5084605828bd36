import { KeyringReader } from "../../src/keyring/reader.ts";
import { SealSource } from "../../src/seal/seal-source.ts";
import type { ClavigerNode } from "./node.ts";

/** The forms in which bytes could turn up in a text or a file. */
export function encodings(secret: Buffer): Buffer[] {
  const hex = secret.toString("hex");
  return [
    secret,
    Buffer.from(hex),
    Buffer.from(hex.toUpperCase()),
    Buffer.from(secret.toString("base64").replace(/=+$/, "")),
    Buffer.from(secret.toString("base64url")),
    // How a Buffer prints, in a log and in JSON.
    Buffer.from(hex.replaceAll(/(..)(?=.)/g, "$1 ")),
    Buffer.from(JSON.stringify([...secret]).slice(1, -1)),
  ];
}

/** The plaintext material of every version in a node's keyring, opened with its root key. */
export async function materialsOf(node: ClavigerNode): Promise<Buffer[]> {
  const seals = new SealSource(node.rootKeyPath);
  const reader = KeyringReader.open(node.keyringPath);
  try {
    const versions = reader.versionsAfter(0, 10_000).map(({ version }) => version);
    const opened = versions.map((version) => seals.unseal(version, version.sealed));
    return (await Promise.all(opened)).map((material) => Buffer.from(material.exposeSecretBytes()));
  } finally {
    reader.close();
  }
}
