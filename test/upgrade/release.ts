import { mkdtemp, readdir, readFile, rm, symlink } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { run } from "../controlplane/run.ts";

const ROOT = join(import.meta.dirname, "..", "..");
const ARCHIVE = /^claviger-(\d+\.\d+\.\d+)\.tar\.gz$/;

/** The providers of the nodes that wrote and open the fixtures: a key, and an alias of it. */
export const PROVIDERS = {
  secrets: { key: "claviger-system/secrets" },
  others: { alias: "claviger-system/main" },
};

/** A ciphertext that a plugin of the release returned for `plaintext`. Bytes are base64. */
export interface KeptCiphertext {
  readonly provider: string;
  readonly version: number;
  readonly keyId: string;
  readonly ciphertext: string;
  readonly plaintext: string;
}

/** The versions of the releases whose archives are in this folder. */
export async function releases(): Promise<string[]> {
  const names = await readdir(import.meta.dirname);
  return names.flatMap((name) => ARCHIVE.exec(name)?.[1] ?? []);
}

/** The folder of the files that the release wrote. */
export const fixturesOf = (version: string): string => join(import.meta.dirname, "fixtures", version);

/** Reads the ciphertexts that the release wrote. */
export async function keptCiphertexts(version: string): Promise<readonly KeptCiphertext[]> {
  return JSON.parse(await readFile(join(fixturesOf(version), "ciphertexts.json"), "utf8"));
}

/** The programs of a release, in a folder that disposal removes. */
export class Release implements AsyncDisposable {
  readonly folder: string;

  private constructor(folder: string) {
    this.folder = folder;
  }

  /** Unpacks the archive. It runs from sources, with this checkout's packages. */
  static async unpack(version: string): Promise<Release> {
    // Not under node_modules, because Node strips no types there.
    const folder = await mkdtemp(join(tmpdir(), `claviger-${version}-`));
    const archive = join(import.meta.dirname, `claviger-${version}.tar.gz`);
    const { code, stderr } = await run("tar", ["-xzf", archive, "-C", folder]);
    if (code !== 0) throw new Error(`${archive} cannot be unpacked: ${stderr}`);
    await symlink(join(ROOT, "node_modules"), join(folder, "node_modules"));
    return new Release(folder);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await rm(this.folder, { recursive: true, force: true });
  }
}

/** Runs a command of the release in `folder`. */
export const claviger = (folder: string, ...args: readonly string[]) =>
  run(process.execPath, [join(folder, "bin", "claviger.js"), ...args]);
