import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { parse } from "yaml";
import { chartFiles, TEMPLATES } from "./generate-chart.ts";

const read = (...path: string[]) => readFileSync(join(import.meta.dirname, "..", ...path), "utf8");

test("charts/claviger/templates holds what `npm run generate` makes, and NOTES.txt", () => {
  const made = chartFiles();
  expect(readdirSync(TEMPLATES).sort()).toEqual([...made.keys(), "NOTES.txt"].sort());
  for (const [name, text] of made) expect(readFileSync(join(TEMPLATES, name), "utf8"), name).toBe(text);
});

test("every alert has a name of its own that Prometheus takes", () => {
  const names = [...(chartFiles().get("alerts.yaml") ?? "").matchAll(/ alert: (.*)/g)].map(
    ([, name]) => name,
  );
  expect(names.length).toBeGreaterThan(5);
  expect(names.filter((name) => !/^Claviger[A-Z][A-Za-z]+$/.test(name ?? ""))).toEqual([]);
  expect(new Set(names).size).toBe(names.length);
});

test("the chart has the version of claviger", () => {
  const { version } = JSON.parse(read("package.json"));
  expect(parse(read("charts", "claviger", "Chart.yaml"))).toMatchObject({ version, appVersion: version });
});
