import { expect, test } from "vitest";
import { version } from "../testing/keyring.ts";
import { mergeText } from "./restore.ts";

const backup = {
  takenAt: "2026-01-02T03:04:05Z",
  nodeName: "a",
  image: { versions: [version(1), version(2), version(3)], keys: [], aliases: [], objects: [] },
};
const FROM = "of 3 versions from the backup of a of 2026-01-02T03:04:05Z";

test.each([
  ["some are missing", { versions: 2, destroyed: 0 }, `got 2 ${FROM}; it had the others`],
  [
    "one was destroyed here",
    { versions: 1, destroyed: 1 },
    `got 1 ${FROM}; 1 was destroyed here and does not come back; it had the others`,
  ],
  [
    "several were destroyed here",
    { versions: 0, destroyed: 3 },
    `got 0 ${FROM}; 3 were destroyed here and do not come back`,
  ],
  ["all are missing", { versions: 3, destroyed: 0 }, `got 3 ${FROM}`],
])("of the versions of a backup that is merged, %s => it is said", (_, plan, text) => {
  expect(mergeText("keyring.db", backup, { ...plan, changes: [], kept: [] })).toBe(`keyring.db ${text}\n`);
});
