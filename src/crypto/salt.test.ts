import { expect, it } from "vitest";
import { freshSalt } from "./salt.ts";
import { SALT_BYTES } from "./suite1.ts";

it("no salt comes twice, also beyond one draw from the system", () => {
  const salts = Array.from({ length: 1000 }, () => Buffer.from(freshSalt()).toString("hex"));
  expect(new Set(salts).size).toBe(1000);
  expect(salts.every((salt) => salt.length === 2 * SALT_BYTES)).toBe(true);
});

it("a salt belongs to its caller: no later salt changes it, and it changes no later salt", () => {
  const first = freshSalt();
  const before = Buffer.from(first);
  for (let call = 0; call < 300; call++) freshSalt().fill(0);
  expect(Buffer.from(first)).toEqual(before);
  expect(Buffer.from(freshSalt())).not.toEqual(Buffer.alloc(SALT_BYTES));
});

it("a salt is a buffer of its own: nothing else hangs on its memory", () => {
  expect(freshSalt().buffer.byteLength).toBe(SALT_BYTES);
});
