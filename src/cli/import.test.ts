import { generateKeyPairSync, randomBytes } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ClavigerError } from "../errors.ts";
import { KubeError } from "../kube/kube-error.ts";
import { offerOf } from "../operator/import/import-offer.ts";
import type { MasterKey } from "../resources/resources.ts";
import type { ImportSpec } from "../resources/schemas/import.ts";
import { masterKey, NOW_TEXT } from "../testing/objects.ts";
import { runImport } from "./import.ts";

let folder: string;
let file: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "claviger-import-"));
  file = join(folder, "material");
  writeFileSync(file, randomBytes(32));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const { publicKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
const PARAMETERS = {
  publicKey: publicKey.export({ type: "spki", format: "pem" }).toString(),
  importToken: "token",
  algorithms: ["RSAES_OAEP_SHA_256" as const],
  validTo: "2999-01-01T00:00:00Z",
};
const TOKEN = "import-1";

/**
 * The key in an API server that follows the script for each read after the offer. The last step is repeated.
 */
function cluster(...reads: readonly (Error | "interrupt" | "processed" | "replaced" | "idle")[]) {
  const stop = new AbortController();
  let now = 0;
  let offered = 0;
  let spec: Partial<ImportSpec> | undefined;
  const writes: (Partial<ImportSpec> | undefined)[] = [];
  const said: string[] = [];
  const waits = new Set<string>();
  let processed: string | undefined;
  const key = (): MasterKey =>
    masterKey({
      spec: { origin: "EXTERNAL", ...(spec && { import: spec as ImportSpec }) },
      status: {
        import: { ...PARAMETERS, ...(processed && { processed: { digest: processed, number: 1 } }) },
        ...(processed && {
          currentVersion: { number: 1, versionId: "v", kmsKeyId: "k", promotedAt: NOW_TEXT },
          conditions: [
            {
              type: "Imported",
              status: "True",
              reason: "Imported",
              message: "version 1 has it",
              lastTransitionTime: NOW_TEXT,
            },
          ],
        }),
      },
    });
  const importing = {
    name: "apps/secrets",
    requestToken: TOKEN,
    say: (text: string) => said.push(text),
    waitFor: (text: string) => waits.add(text),
    pace: {
      now: () => now,
      pause: async (milliseconds: number) => {
        stop.signal.throwIfAborted();
        now += milliseconds;
      },
    },
    signal: stop.signal,
    target: {
      read: async (signal?: AbortSignal) => {
        if (spec?.wrappedMaterial === undefined || signal === undefined) return key();
        const step = reads[Math.min(offered, reads.length - 1)];
        offered += 1;
        if (step instanceof Error) throw step;
        if (step === "processed" || step === "replaced") processed = offerOf(spec)?.digest;
        if (step === "replaced") spec = { requestToken: "import-2" };
        if (step === "interrupt") stop.abort();
        return key();
      },
      write: async (written: Partial<ImportSpec>) => {
        writes.push(written);
        spec = written;
      },
      takeOut: async (requestToken: string) => {
        if (spec?.requestToken !== requestToken) return false;
        writes.push(undefined);
        spec = undefined;
        return true;
      },
    },
  };
  const request = { kind: "material", file, algorithm: "RSAES_OAEP_SHA_256", rest: {} } as const;
  const outcome = runImport(importing, request).then(
    () => "imported",
    (error: unknown) => (error instanceof ClavigerError ? error.message : error),
  );
  return { outcome, said, waits, writes };
}

describe("claviger import into a cluster", () => {
  test("is interrupted while it waits => the offer is taken back, and it says so", async () => {
    const { outcome, writes } = cluster("idle", "interrupt");
    expect(await outcome).toMatch(
      /^the import was interrupted: spec\.import of apps\/secrets was taken back; see its condition Imported/,
    );
    expect(writes.at(-1)).toBeUndefined();
  });

  test("while it waits => it names the MasterKey and what it waits for", async () => {
    const { outcome, waits } = cluster("idle", "idle", "processed");
    expect(await outcome).toBe("imported");
    expect([...waits]).toEqual(["MasterKey apps/secrets: waiting for the leading operator to import it"]);
  });

  test("somebody else's offer is there by the time that this one is taken up => it stays", async () => {
    const { outcome, said, writes } = cluster("idle", "replaced");
    expect(await outcome).toBe("imported");
    expect(writes.at(-1)).toMatchObject({ requestToken: TOKEN });
    expect(said).toContain("version 1 has it; spec.import has another offer by now, which stays");
  });

  test("an API server that is away for a moment => says so and goes on", async () => {
    const away = new KubeError(503, "GET /apis: etcd is not there");
    const { outcome, said, writes } = cluster("idle", away, away, "processed");
    expect(await outcome).toBe("imported");
    expect(said.filter((text) => text.includes("is tried again"))).toEqual([
      "MasterKey apps/secrets cannot be read and is tried again: GET /apis: etcd is not there",
    ]);
    expect(writes.at(-1)).toBeUndefined();
  });

  test("an API server that stays away => ends, and says that the offer is there yet", async () => {
    const { outcome } = cluster(new ClavigerError("ApiServer", "ECONNREFUSED"));
    expect(await outcome).toMatch(/could not be read for 120 s: ECONNREFUSED; spec\.import of apps\/secrets/);
  });
});
