import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { ImportSpec } from "../kube/import-schema.ts";
import type { MasterKey } from "../kube/resources.ts";
import { masterKey } from "../operator/testing.ts";
import { runImport } from "./import.ts";

const TOKEN = "11111111-0000-4000-8000-000000000000";
const WRAPPED = { kind: "wrapped", algorithm: "RSAES_OAEP_SHA_256", rest: {} } as const;
let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "clv-import-"));
  for (const name of ["material.bin", "wrapped.bin", "token"])
    writeFileSync(join(folder, name), Buffer.alloc(32, 7));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** A MasterKey whose operators do nothing; whoever waits for them is interrupted. */
function unattended({ writes = () => undefined }: { readonly writes?: (nth: number) => void } = {}) {
  const stop = new AbortController();
  const written: (Partial<ImportSpec> | undefined)[] = [];
  let spec: Partial<ImportSpec> | undefined;
  const importing = {
    name: "apps/secrets",
    requestToken: TOKEN,
    say: () => undefined,
    signal: stop.signal,
    pace: {
      now: () => 0,
      pause: async (_: number, signal: AbortSignal | undefined) => {
        stop.abort(new Error("SIGINT came"));
        signal?.throwIfAborted();
      },
    },
    target: {
      read: async (): Promise<MasterKey> =>
        masterKey({
          spec: { origin: "EXTERNAL", ...(spec !== undefined && { import: spec as ImportSpec }) },
        }),
      write: async (next: Partial<ImportSpec> | undefined) => {
        writes(written.length + 1);
        written.push(next);
        spec = next;
      },
    },
  };
  return { importing, written, spec: () => spec };
}

describe("an import that is interrupted", () => {
  test("while it waits for a public key => takes its request back", async () => {
    const { importing, spec, written } = unattended();
    const request = { ...WRAPPED, kind: "material", file: join(folder, "material.bin") } as const;
    await expect(runImport(importing, request)).rejects.toMatchObject({
      code: "NotReady",
      message: expect.stringMatching(
        /^the import was interrupted: spec\.import of apps\/secrets was taken back/,
      ),
    });
    expect(written[0]).toEqual({ requestToken: TOKEN });
    expect(spec()).toBeUndefined();
  });

  test("while the material waits in the spec => takes it out, so that nobody takes it up later", async () => {
    const { importing, spec, written } = unattended();
    const request = { ...WRAPPED, file: join(folder, "wrapped.bin"), tokenFile: join(folder, "token") };
    await expect(runImport(importing, request)).rejects.toThrow(
      /was interrupted: spec\.import of apps\/secrets was taken back/,
    );
    expect(written[0]).toMatchObject({ requestToken: TOKEN, wrappedMaterial: expect.any(String) });
    expect(spec()).toBeUndefined();
  });

  test("and the API server does not answer => says what is left there and what to do", async () => {
    const { importing } = unattended({
      writes: (nth) => {
        if (nth === 2) throw new Error("no answer");
      },
    });
    const request = { ...WRAPPED, file: join(folder, "wrapped.bin"), tokenFile: join(folder, "token") };
    await expect(runImport(importing, request)).rejects.toThrow(
      /could not be taken back \(no answer\): take it out of the MasterKey, or it may be taken up yet/,
    );
  });
});
