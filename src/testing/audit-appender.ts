import { writeSync } from "node:fs";
import { LogWriter } from "../audit/log/log-writer.ts";

/** A program that appends lines, and prints the number of each once it is on the disk. It may be killed at any moment. */
const [path = "", keyPath = "", from = "0", count = "0", segmentBytes = "", name = ""] =
  process.argv.slice(2);
const DAY = 86_400_000;

const writer = new LogWriter({
  path,
  keyPath,
  origin: "kms.claviger.dev/audit/test/node-1",
  site: { account: "000000000000", region: "us-local-1" },
  segmentBytes: Number(segmentBytes),
  lockMilliseconds: 60_000,
});
for (let n = Number(from); n < Number(from) + Number(count); n += 1) {
  // A new day after each fifth line.
  const now = Math.floor(n / 5) * DAY + n;
  writer.append([`${name}${n}`.padEnd(100, "x")], now);
  writeSync(1, `${n}\n`);
  writer.checkpoint(now, "time");
}
writer.close();
