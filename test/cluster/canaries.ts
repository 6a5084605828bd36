import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { KeyringReader } from "../../src/keyring/reader.ts";
import { sealsIn } from "../../src/testing/seals.ts";
import { eventually } from "../controlplane/wait.ts";
import type { ClavigerNode } from "./node.ts";

/** The forms in which bytes could turn up in a text or a file. */
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
    // How a Buffer prints, in a log and in JSON.
    Buffer.from(hex.replaceAll(/(..)(?=.)/g, "$1 ")),
    Buffer.from(JSON.stringify([...secret]).slice(1, -1)),
  ];
}

/** Base64 of something longer has a secret in one of three forms, by where it begins. */
const BASE64_SHIFTS = [0, 1, 2];

/** The characters that depend on the secret alone where `shift` bytes, or a multiple of three more, come before it. */
function base64Inside(secret: Buffer, shift: number): string {
  const text = Buffer.concat([Buffer.alloc(shift), secret]).toString("base64");
  return text.slice(Math.ceil((shift * 8) / 6), Math.floor(((shift + secret.length) * 8) / 6));
}

/** The plaintext material of every version in a node's keyring, opened with its root key. */
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
 * What the files under a folder hold, by path. Where one goes while they are read, as a
 * draft does that gets its name, all are read again: it may be there under another one.
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
