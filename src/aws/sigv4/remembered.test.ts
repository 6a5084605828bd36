import { expect, it } from "vitest";
import { Remembered } from "./remembered.ts";

const counting = () => {
  const read: string[] = [];
  const remembered = new Remembered((text) => {
    read.push(text);
    if (text === "bad") throw new Error("bad");
    return text.toUpperCase();
  });
  return { read, remembered };
};

it("a text is read once", () => {
  const { read, remembered } = counting();
  expect(["a", "b", "a"].map((text) => remembered.of(text))).toEqual(["A", "B", "A"]);
  expect(read).toEqual(["a", "b"]);
});

it("a text that is refused is refused each time", () => {
  const { remembered } = counting();
  expect(() => remembered.of("bad")).toThrow("bad");
  expect(() => remembered.of("bad")).toThrow("bad");
});

it("long texts, and more texts than a thousand, take no memory", () => {
  const { read, remembered } = counting();
  const long = "x".repeat(513);
  for (const text of [long, long, "first"]) remembered.of(text);
  for (let n = 0; n < 1_000; n += 1) remembered.of(String(n));
  remembered.of("first");
  expect(read.filter((text) => text === long || text === "first")).toEqual([long, long, "first", "first"]);
});
