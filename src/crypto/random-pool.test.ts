import { expect, it } from "vitest";
import { RandomPool } from "./random-pool.ts";

it.each([16, 24, 32, 256, 257, 1_024])(
  "requests of %d bytes never get the same bytes twice, nor zeros",
  (size) => {
    const pool = new RandomPool();
    const taken = Array.from({ length: 1_000 }, () => pool.take(size));
    expect(new Set(taken.map((bytes) => bytes.toString("hex"))).size).toBe(1_000);
    expect(taken.every((bytes) => bytes.length === size && bytes.some((byte) => byte !== 0))).toBe(true);
  },
);

it("what was given is nobody else's: changing it changes nothing that is given later", () => {
  const pool = new RandomPool();
  const first = pool.take(32);
  const before = first.toString("hex");
  pool.take(32).fill(7);
  expect(first.toString("hex")).toBe(before);
});

it("bytes are uniform: each bit is set about half of the time", () => {
  const pool = new RandomPool();
  const bytes = Buffer.concat(Array.from({ length: 2_000 }, () => pool.take(32)));
  const ones = bytes.reduce((sum, byte) => sum + byte.toString(2).replaceAll("0", "").length, 0);
  expect(Math.abs(ones / (bytes.length * 8) - 0.5)).toBeLessThan(0.01);
});
