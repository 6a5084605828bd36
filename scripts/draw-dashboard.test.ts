import { expect, test } from "vitest";
import { rows } from "./dashboard-panels.ts";
import { drawDashboard } from "./draw-dashboard.ts";

const panels = rows.flatMap((row) => row.panels);
const period = { begun: 0, ended: 100 };
const draw = (
  title: string,
  metric: Record<string, string>,
  values: readonly (readonly [number, number])[],
) => {
  const panel = panels.find((one) => one.title === title);
  if (panel === undefined) throw new Error(`no panel ${title}`);
  return drawDashboard([{ panel, series: [{ metric, values }] }], period);
};

test("every panel has its title, with an answer or without", () => {
  const picture = drawDashboard([], period);
  for (const { title } of panels) expect(picture).toContain(`>${title}</text>`);
});

test("a series is a line of its samples, with its name and last value; a value that is no number is left out", () => {
  const picture = draw("Since the last Status", { instance: "a<b", provider: "secrets" }, [
    [0, 0],
    [50, Number.NaN],
    [100, 120],
  ]);
  expect(picture).toContain("— a&lt;b secrets 2 min</text>");
  expect(picture.match(/<path d="M[\d.]+ [\d.]+L[\d.]+ [\d.]+" fill="none"/g)).toHaveLength(1);
});

test("a figure below its least value is red", () => {
  expect(draw("Operators that lead", {}, [[0, 0]])).toContain('fill="#f2495c"');
  expect(draw("Operators that lead", {}, [[0, 1]])).not.toContain('fill="#f2495c"');
});
