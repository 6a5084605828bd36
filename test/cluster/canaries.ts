import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { KeyringReader } from "../../src/keyring/reader.ts";
import { sealsIn } from "../../src/testing/seals.ts";
import { eventually } from "../controlplane/wait.ts";
import type { ClavigerNode } from "./node.ts";

/** Returns the forms in which bytes could appear in a text or a file. */
export function encodings(secret: Buffer): Buffer[] {
  const hex = secret.toString("hex");
  return [
    secret,
    Buffer.from(hex),
    Buffer.from(hex.toUpperCase()),
    ...BASE64_SHIFTS.flatMap((shift) => {
      const text = base64Inside(secret, shift);
      return [Buffer.from(text), Buffer.from(text.replaceAll("+", "-").replaceAll("/", "_"))];
    }),
    // The form in which a Buffer is printed in a log and in JSON.
    Buffer.from(hex.replaceAll(/(..)(?=.)/g, "$1 ")),
    Buffer.from(JSON.stringify([...secret]).slice(1, -1)),
  ];
}

/** Inside a longer text, base64 shows a secret in one of three forms, depending on its offset. */
const BASE64_SHIFTS = [0, 1, 2];

/**
 * Returns the base64 characters that depend on the secret alone, if `shift` bytes, or a multiple of three
 * more, precede it.
 */
function base64Inside(secret: Buffer, shift: number): string {
  const text = Buffer.concat([Buffer.alloc(shift), secret]).toString("base64");
  return text.slice(Math.ceil((shift * 8) / 6), Math.floor(((shift + secret.length) * 8) / 6));
}

/** Returns the plaintext material of every version in a node's keyring, opened with its root key. */
export async function materialsOf(
  node: Pick<ClavigerNode, "rootKeyPath" | "keyringPath">,
): Promise<Buffer[]> {
  const seals = sealsIn(node.rootKeyPath);
  const reader = KeyringReader.open(node.keyringPath);
  try {
    const versions = reader.versionsAfter(0, 10_000).map(({ version }) => version);
    const opened = versions.map((version) => seals.unseal(version, version.sealed));
    return (await Promise.all(opened)).map((material) => Buffer.from(material.exposeSecretBytes()));
  } finally {
    reader.close();
  }
}

/**
 * Returns the contents of the files under a folder, by path. If a file disappears meanwhile, as a draft does
 * when it is renamed, all are read again, because it may have another name now.
 */
export function contentsOf(folder: string): Promise<ReadonlyMap<string, Buffer>> {
  return eventually(`every file under ${folder} is read`, async () => {
    const contents = new Map<string, Buffer>();
    for (const entry of await readdir(folder, { recursive: true, withFileTypes: true })) {
      const path = join(entry.parentPath, entry.name);
      if (entry.isFile()) contents.set(path, await readFile(path));
    }
    return contents;
  });
}
