import { expect, test } from "vitest";
import { table } from "./table.ts";

const KEY_ID = "18e548cdc3af47a9b8a583c0631245d4";
const header = ["RESOURCE", "PROVIDER", "KEY_ID", "VERSION", "OBJECTS"];
const rows = [["configmaps.example.com", "secrets", KEY_ID, "claviger-system/secrets v12", "104857"]];

test("a table that is too wide for the terminal => cells go on in the next line, and ids stay whole", () => {
  const text = table(header, rows, { width: 80, whole: ["KEY_ID"] });
  for (const line of text.split("\n")) expect(line.length, line).toBeLessThanOrEqual(80);
  expect(text).toContain(` ${KEY_ID} `);
  const cells = text.split("\n").map((line) => line.slice(0, 20));
  expect(cells.join("")).toContain("configma");
});

test("in a pipe => a line for each row, for grep and awk", () => {
  expect(table(header, rows).split("\n")).toHaveLength(3);
});

test("a terminal that is too narrow for any table => nothing is lost", () => {
  const flat = table(header, rows, { width: 10 }).replaceAll(/\s/g, "");
  for (const digit of new Set(KEY_ID)) expect(flat).toContain(digit);
  expect(flat.length).toBe([...header, ...(rows[0] ?? [])].join("").replaceAll(" ", "").length);
});
