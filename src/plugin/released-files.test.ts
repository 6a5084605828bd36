import { chmodSync, copyFileSync, globSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { describe, expect, it, onTestFinished, vi } from "vitest";
import { parseBackup } from "../keyring/backup/format.ts";
import { restoreKeyring } from "../keyring/backup/restore.ts";
import { LiveKeyring } from "../keyring/live/live-keyring.ts";
import { KEYRING_FILE } from "../keyring/state-folder.ts";
import { KeyringWriter } from "../keyring/writer.ts";
import type { KeyRef } from "../names.ts";
import { sealsIn } from "../testing/seals.ts";
import { Provider } from "./provider.ts";

/** Written by test/upgrade/make-fixtures.ts. */
interface Kept {
  readonly provider: string;
  readonly version: number;
  readonly keyId: string;
  readonly ciphertext: string;
  readonly plaintext: string;
}

const FIXTURES = join(import.meta.dirname, "..", "..", "test", "upgrade", "fixtures");
const REFS = new Map<string, KeyRef>([
  ["secrets", { key: { namespace: "claviger-system", name: "secrets" } }],
  ["others", { alias: { namespace: "claviger-system", name: "main" } }],
]);

describe.each(globSync(`${FIXTURES}/*`).map((path) => basename(path)))(
  "the files that %s wrote",
  (release) => {
    const fixture = (name: string): string => join(FIXTURES, release, name);
    const kept: readonly Kept[] = JSON.parse(readFileSync(fixture("ciphertexts.json"), "utf8"));

    /** Returns a state folder beside the release's root key. */
    const stateFolder = (): string => {
      const folder = mkdtempSync(join(tmpdir(), "claviger-test-"));
      onTestFinished(() => rmSync(folder, { recursive: true }));
      copyFileSync(fixture("root.key"), join(folder, "root.key"));
      chmodSync(join(folder, "root.key"), 0o600);
      return join(folder, "state");
    };
    const providersOn = (stateDir: string): ReadonlyMap<string, Provider> => {
      const keyring = new LiveKeyring(
        join(stateDir, KEYRING_FILE),
        sealsIn(join(stateDir, "..", "root.key")),
      );
      keyring.start();
      onTestFinished(() => keyring.close());
      const common = { keyring, now: Date.now, log: () => undefined, onObserved: () => undefined };
      return new Map(
        [...REFS].map(([name, ref]) => {
          const provider = new Provider({ name, ref, ...common });
          onTestFinished(() => provider.close());
          void provider.follow();
          return [name, provider];
        }),
      );
    };
    const expectOpened = async (providers: ReadonlyMap<string, Provider>): Promise<void> => {
      const opened: (string | undefined)[] = [];
      for (const { provider, ciphertext, keyId } of kept) {
        const request = { ciphertext: Buffer.from(ciphertext, "base64"), keyId, annotationCount: 0 };
        opened.push((await providers.get(provider)?.decrypt(request))?.toString("base64"));
      }
      expect(opened).toEqual(kept.map(({ plaintext }) => plaintext));
      const keyIds = [...providers.values()].map((provider) => provider.encrypt(Buffer.from("seed")).keyId);
      expect(new Set(keyIds)).toEqual(new Set([kept.at(-1)?.keyId]));
    };

    it("have ciphertexts under two versions, through a key and through an alias", () => {
      expect(kept.map(({ provider, version }) => `${provider} ${version}`)).toEqual([
        ...["secrets 1", "others 1", "secrets 2", "others 2"],
      ]);
    });

    it("open: keyring.db, with every ciphertext, and it encrypts under the same key_id", async () => {
      const stateDir = stateFolder();
      mkdirSync(stateDir, { mode: 0o700 });
      copyFileSync(fixture(KEYRING_FILE), join(stateDir, KEYRING_FILE));
      chmodSync(join(stateDir, KEYRING_FILE), 0o600);
      const providers = providersOn(stateDir);
      await vi.waitFor(() => expectOpened(providers), { timeout: 30_000 });
    });

    it("open: keyring.db after this release's operator has taken it over", async () => {
      const stateDir = stateFolder();
      mkdirSync(stateDir, { mode: 0o700 });
      copyFileSync(fixture(KEYRING_FILE), join(stateDir, KEYRING_FILE));
      chmodSync(join(stateDir, KEYRING_FILE), 0o600);
      KeyringWriter.open(stateDir).close();
      const providers = providersOn(stateDir);
      await vi.waitFor(() => expectOpened(providers), { timeout: 30_000 });
    });

    it("open: the backup, restored, with every ciphertext", async () => {
      const stateDir = stateFolder();
      restoreKeyring(stateDir, parseBackup(readFileSync(fixture("backup.jsonl")), "backup.jsonl"));
      const providers = providersOn(stateDir);
      await vi.waitFor(() => expectOpened(providers), { timeout: 30_000 });
    });
  },
);
