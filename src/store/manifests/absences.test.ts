import { expect, test } from "vitest";
import { Absences } from "./absences.ts";

const absent = (...entries: readonly (readonly [object: string, appearance: string])[]) => new Map(entries);

test("an object is removed once its file was the same at two looks", () => {
  const absences = new Absences();
  expect(absences.look(absent(["a", "1"], ["b", "1"]))).toEqual([]);
  expect(absences.look(absent(["a", "2"], ["b", "1"]))).toEqual(["b"]);
  expect(absences.look(absent(["a", "2"]))).toEqual(["a"]);
});

test("an object that is back in its file meanwhile is no longer absent", () => {
  const absences = new Absences();
  absences.look(absent(["a", "1"]));
  expect(absences.look(absent())).toEqual([]);
  expect(absences.look(absent(["a", "1"]))).toEqual([]);
});

test("a file that changes at every look keeps its object for ten seconds, and not for ever", () => {
  const absences = new Absences();
  const looks = Array.from({ length: 21 }, (_, n) => absences.look(absent(["a", String(n)])));
  expect(looks.findIndex((removed) => removed.length > 0)).toBe(20);
});
