import { expect, test } from "vitest";
import type { KeyId } from "../../crypto/ids.ts";
import { MOST_GRANTS_OF_KEY } from "../../keyring/grant-row.ts";
import type { GrantTable } from "../../keyring/tables/grants.ts";
import { KeyringWriter } from "../../keyring/writer.ts";
import { grantRow } from "../../testing/grants.ts";
import { temporaryFolder } from "../../testing/keyring.ts";
import { keyId, NOW } from "../../testing/objects.ts";
import { GrantRoom } from "./grant-room.ts";

const SECOND = 1_000;

test("a key gets grants up to the limit, counted once; when some have ended it gets more, after a moment", () => {
  let stored = MOST_GRANTS_OF_KEY - 2;
  let counts = 0;
  const countOf = (id: KeyId) => {
    counts += 1;
    return id === keyId(1) ? stored : 0;
  };
  const room = new GrantRoom({ countOf }, { now: () => NOW });
  for (const _ of [1, 2]) {
    expect(room.has(keyId(1), 0)).toBe(true);
    room.take(keyId(1));
    stored += 1;
  }
  expect(counts).toBe(1);
  expect(room.has(keyId(1), 60 * SECOND)).toBe(false);
  expect(room.has(keyId(2), 60 * SECOND)).toBe(true);
  stored -= 1;
  expect(room.has(keyId(1), 61 * SECOND)).toBe(false);
  expect(room.has(keyId(1), 71 * SECOND)).toBe(true);
});

test("grants that have expired leave room for others at once, though their rows stay for a day", () => {
  const folder = temporaryFolder();
  const keyring = KeyringWriter.open(folder.path);
  try {
    const now = NOW.getTime();
    keyring.transaction(() => {
      for (const [n, expiresAt] of [now + 1, now, now - SECOND].entries())
        keyring.grants.put(grantRow(n, { keyId: keyId(1), expiresAt }));
      keyring.grants.put(grantRow(9, { keyId: keyId(1) }));
    });
    const others = (count: number) => ({
      countOf: (...of: Parameters<GrantTable["countOf"]>) => count + keyring.grants.countOf(...of),
    });
    const room = (count: number) => new GrantRoom(others(count), { now: () => NOW });
    expect(room(MOST_GRANTS_OF_KEY - 3).has(keyId(1), 0)).toBe(true);
    expect(room(MOST_GRANTS_OF_KEY - 2).has(keyId(1), 0)).toBe(false);
  } finally {
    keyring.close();
    folder.remove();
  }
});
