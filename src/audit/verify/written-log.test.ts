import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { temporaryFolder } from "../../testing/keyring.ts";
import { LogWriter } from "../log/log-writer.ts";
import { verifyLog } from "./verify-log.ts";

const DAY = 86_400_000;
const NOON = 20_000 * DAY + DAY / 2;

it("a log that claviger has written over three days in several files is good, and an edited line is named", async () => {
  const folder = temporaryFolder();
  const path = join(folder.path, "audit.jsonl");
  const writer = new LogWriter({
    path,
    keyPath: join(folder.path, "key.json"),
    origin: "kms.claviger.dev/audit/test/node-1",
    site: { account: "000000000000", region: "us-local-1" },
    segmentBytes: 20_000,
    lockMilliseconds: 60_000,
  });
  try {
    for (let line = 0; line < 300; line += 1)
      writer.append(
        [JSON.stringify({ eventID: `event-${line}`, text: "x".repeat(200) })],
        NOON + line * (DAY / 100),
      );
    writer.checkpoint(NOON + 3 * DAY, "once");
    const verify = () => verifyLog({ path, now: Date.now() });
    const found = await verify();
    expect(found).toMatchObject({ findings: [], faults: 0 });
    expect(found.lines).toBeGreaterThan(300);
    expect(found.signed).toBe(found.lines);
    expect(found.keys.length).toBeGreaterThan(2);
    writeFileSync(path, readFileSync(path, "utf8").replace("event-299", "event-298"));
    expect((await verify()).findings).toMatchObject([{ kind: "edited", from: found.lines - 1 }]);
  } finally {
    writer.close();
    folder.remove();
  }
});
