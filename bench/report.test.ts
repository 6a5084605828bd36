import { expect, it } from "vitest";
import type { PartResult } from "./part.ts";
import { page, partText } from "./report.ts";

const part = (title: string): PartResult => ({
  title,
  method: `How ${title} is measured.`,
  tables: [{ header: ["ms", "claviger"], rows: [["x", "1"]] }],
  goals: [{ what: `${title} is fast`, unit: " ms", value: 1, limit: { atMost: 2 } }],
});

it("a part has its title, its method and its tables", () => {
  expect(partText(part("Start"))).toBe(
    "## Start\n\nHow Start is measured.\n\n| ms  | claviger |\n| --- | -------: |\n| x   |        1 |\n",
  );
});

it("the page has date, machine, the goals of all parts, and the parts in order", () => {
  const text = page([part("One"), part("Two")], { date: "2026-01-02", machine: ["2 × CPU", "Node v26"] });
  const places = [
    "# Benchmarks",
    "2026-01-02",
    "- 2 × CPU\n- Node v26\n",
    "## What a cluster feels",
    "| One is fast | ≤ 2 ms",
    "| Two is fast",
    "## One",
    "## Two",
  ];
  const found = places.map((place) => text.indexOf(place));
  expect(found).not.toContain(-1);
  expect(found).toEqual(found.toSorted((a, b) => a - b));
  expect(text.endsWith("|\n")).toBe(true);
});
