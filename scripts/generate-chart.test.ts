import { globSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { parse } from "yaml";
import { resources } from "../src/resources/definitions.ts";
import { chartFiles, DASHBOARD, dashboardText, TEMPLATES } from "./generate-chart.ts";

const read = (...path: string[]) => readFileSync(join(import.meta.dirname, "..", ...path), "utf8");

/** Templates that are written by hand. */
const BY_HAND = [
  "NOTES.txt",
  "_helpers.tpl",
  "certificate.yaml",
  "dashboard.yaml",
  "network-policy.yaml",
  "podmonitor.yaml",
];

test("charts/claviger/templates holds what `npm run generate` makes, and the templates that are written by hand", () => {
  const made = chartFiles();
  const files = globSync("**/*.*", { cwd: TEMPLATES });
  expect(files.sort()).toEqual([...made.keys(), ...BY_HAND].sort());
  for (const [name, text] of made) expect(readFileSync(join(TEMPLATES, name), "utf8"), name).toBe(text);
});

test("the chart's dashboard is what `npm run generate` makes", () => {
  expect(readFileSync(DASHBOARD, "utf8")).toBe(dashboardText());
});

test("the chart names every custom resource for Artifact Hub, and the image that it runs", () => {
  const { annotations } = parse(read("charts", "claviger", "Chart.yaml"));
  const named = parse(annotations["artifacthub.io/crds"]).map(
    ({ kind, name }: { kind: string; name: string }) => [kind, name],
  );
  const expected = Object.entries(resources).map(([kind, { plural }]) => [
    kind,
    `${plural}.kms.claviger.dev`,
  ]);
  expect(named.sort()).toEqual(expected.sort());
  const { repository } = parse(read("charts", "claviger", "values.yaml")).image;
  const { version } = JSON.parse(read("package.json"));
  expect(parse(annotations["artifacthub.io/images"])).toEqual([
    { name: "claviger", image: `${repository}:${version}` },
  ]);
});

test("the chart's README names every value, and no other", () => {
  const sections: Record<string, object> = parse(read("charts", "claviger", "values.yaml"));
  const values = Object.entries(sections).flatMap(([section, fields]) =>
    Object.keys(fields).map((field) => `${section}.${field}`),
  );
  const rows = [...read("charts", "claviger", "README.md").matchAll(/^\| (`\w.*?) \| /gm)];
  const named = rows.flatMap(([, cell = ""]) => {
    const spans = [...cell.matchAll(/`([\w.]+)`/g)].map(([, span = ""]) => span);
    const section = spans[0]?.split(".")[0] ?? "";
    return spans.map((span) => (span.startsWith(".") ? `${section}${span}` : span));
  });
  expect(named.sort()).toEqual(values.sort());
});

test("the chart has the version of claviger", () => {
  const { version } = JSON.parse(read("package.json"));
  expect(parse(read("charts", "claviger", "Chart.yaml"))).toMatchObject({ version, appVersion: version });
});
