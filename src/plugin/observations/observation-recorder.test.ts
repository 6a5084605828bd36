import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import type { ObservationRow } from "../../keyring/rows.ts";
import { ObservationRecorder } from "./observation-recorder.ts";

test("before a first key is served => nothing is written, and a folder that is not there yet is no fault", async () => {
  const folder = mkdtempSync(join(tmpdir(), "claviger-recorder-"));
  try {
    const complaints: unknown[] = [];
    const rows: ObservationRow[] = [];
    const recorder = new ObservationRecorder({
      keyringPath: join(folder, "state", "keyring.db"),
      rows: () => rows,
      complain: (error) => complaints.push(error),
    });
    recorder.changed();
    await recorder.close();
    expect(complaints).toEqual([]);
    expect(existsSync(join(folder, "state"))).toBe(false);
  } finally {
    rmSync(folder, { recursive: true });
  }
});
