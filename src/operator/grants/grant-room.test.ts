import { expect, test } from "vitest";
import { MOST_GRANTS_OF_KEY } from "../../keyring/grant-row.ts";
import { keyId } from "../../testing/objects.ts";
import { GrantRoom } from "./grant-room.ts";

const SECOND = 1_000;

test("a key gets grants up to the limit, counted once; when some have ended it gets more, after a moment", () => {
  let stored = MOST_GRANTS_OF_KEY - 2;
  let counts = 0;
  const room = new GrantRoom({
    countOf: (id) => {
      counts += 1;
      return id === keyId(1) ? stored : 0;
    },
  });
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
