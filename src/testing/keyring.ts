/** Keyrings and processes for tests. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { pathToFileURL } from "node:url";
import { type KeyId, parseKeyId, parseVersionId, type VersionId } from "../crypto/ids.ts";
import type { KeyringChange } from "../keyring/changes.ts";
import type { KeyRow, TombstoneRow, VersionRow } from "../keyring/rows.ts";

/** Only ends a test that hangs. */
export const deadline = { timeout: 60_000, interval: 5 };

/** Creates a folder that is removed with `using`. */
export function temporaryFolder() {
  const path = mkdtempSync(join(tmpdir(), "claviger-keyring-"));
  const remove = () => rmSync(path, { recursive: true, force: true });
  return { path, remove, [Symbol.dispose]: remove };
}

export const keyId = (n: number): KeyId => parseKeyId(`aaaaaaaa-0000-4000-8000-${digits(n)}`);
export const versionId = (n: number): VersionId => parseVersionId(`bbbbbbbb-0000-4000-8000-${digits(n)}`);
const digits = (n: number): string => String(n).padStart(12, "0");

/** Returns the n-th version of key 1, apps/secrets. */
export const version = (n: number, changes: Partial<VersionRow> = {}): VersionRow => ({
  versionId: versionId(n),
  keyId: keyId(1),
  number: n,
  masterKey: { namespace: "apps", name: "secrets" },
  keySpec: "SYMMETRIC_DEFAULT",
  keyUsage: "ENCRYPT_DECRYPT",
  origin: "AWS_KMS",
  sealed: { provider: "file", rootKeyId: "root-1", blob: new Uint8Array(Buffer.from(`blob ${n}`)) },
  ...changes,
});

/** Returns the tombstone of the n-th version of key 1. */
export function tombstone(n: number): TombstoneRow {
  const { sealed: _, ...identity } = version(n);
  const proof = { provider: "file", rootKeyId: "root-1", blob: new Uint8Array(Buffer.from(`proof ${n}`)) };
  return { ...identity, destroyedAt: "2026-01-02T03:04:05Z", reason: "its deletion came due", proof };
}

export const key = (changes: Partial<KeyRow> = {}): Omit<KeyRow, "current"> => ({
  namespace: "apps",
  name: "secrets",
  keyId: keyId(1),
  enabled: true,
  formerKeyIds: [],
  ...changes,
});

/** Returns changes that add these versions, the last one current. */
export function promoted(...versions: readonly VersionRow[]): KeyringChange[] {
  const last = versions.at(-1);
  return [
    ...versions.map((row): KeyringChange => ({ kind: "putVersion", version: row })),
    { kind: "putKey", key: key() },
    ...(last ? [{ kind: "setCurrent", key: key(), version: last } as const] : []),
  ];
}

/**
 * Another process that runs `code`. In it, `say` prints a line for `heard`, `hang` blocks for ever, and
 * `import_` loads the modules of src/keyring.
 */
export class OtherProcess {
  readonly #child: ChildProcess;
  readonly #lines: string[] = [];
  readonly #errors: string[] = [];

  constructor(code: string) {
    const base = pathToFileURL(`${join(import.meta.dirname, "..", "keyring")}/`).href;
    const prelude = `
      const import_ = (name) => import(new URL(name, ${JSON.stringify(base)}));
      const say = (text) => fs.writeSync(1, text + "\\n");
      const hang = () => Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);
      import fs from "node:fs";`;
    this.#child = spawn(process.execPath, ["--input-type=module", "--eval", `${prelude}\n${code}`], {
      stdio: ["ignore", "pipe", "pipe"],
    });
    if (this.#child.stdout) createInterface(this.#child.stdout).on("line", (line) => this.#lines.push(line));
    this.#child.stderr?.on("data", (chunk) => this.#errors.push(String(chunk)));
  }

  /** Returns true if it printed the line. Throws if it has died. */
  heard(line: string): boolean {
    if (this.#lines.includes(line)) return true;
    if (this.#child.exitCode !== null) throw new Error(`it ended: ${this.#errors.join("")}`);
    return false;
  }

  /** Sends kill -9 and waits until it is gone. */
  async kill(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const gone = once(this.#child, "exit");
    this.#child.kill("SIGKILL");
    await gone;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.kill();
  }
}
