/** Makes the Grafana dashboard of the chart from its panels. */
import type { Panel, Row } from "./dashboard-panels.ts";

const WIDTH = 24;
const HEIGHT = { stat: 4, timeseries: 7 };
const DATASOURCE = { type: "prometheus", uid: "$datasource" };

/** Returns the dashboard as Grafana's JSON model. */
export function dashboard(rows: readonly Row[]): object {
  return {
    uid: "claviger",
    title: "claviger",
    description: "Keys, nodes and calls of claviger: docs/metrics.md",
    tags: ["claviger", "kms", "encryption"],
    schemaVersion: 39,
    editable: true,
    refresh: "30s",
    time: { from: "now-6h", to: "now" },
    templating: {
      list: [{ name: "datasource", label: "Data source", type: "datasource", query: "prometheus" }],
    },
    panels: placed(rows),
  };
}

/** Places each row's panels beside one another, and the rows below one another. */
function placed(rows: readonly Row[]): object[] {
  const panels: object[] = [];
  let y = 0;
  for (const { title, panels: inRow } of rows) {
    panels.push({ id: panels.length + 1, type: "row", title, gridPos: { x: 0, y, w: WIDTH, h: 1 } });
    const w = Math.floor(WIDTH / inRow.length);
    const h = Math.max(...inRow.map(({ kind }) => HEIGHT[kind]));
    for (const [index, panel] of inRow.entries())
      panels.push(panelJson(panel, panels.length + 1, { x: index * w, y: y + 1, w, h }));
    y += 1 + h;
  }
  return panels;
}

const panelJson = (
  { title, description, kind, unit, legend, expr, atLeast, atMost }: Panel,
  id: number,
  gridPos: object,
) => ({
  ...{ id, type: kind, title, description, gridPos, datasource: DATASOURCE },
  fieldConfig: {
    defaults: {
      unit,
      min: 0,
      ...((atLeast ?? atMost) !== undefined && {
        color: { mode: "thresholds" },
        thresholds: { mode: "absolute", steps: steps(atLeast, atMost) },
      }),
    },
    overrides: [],
  },
  options:
    kind === "stat" ? { reduceOptions: { calcs: ["lastNotNull"] } } : { legend: { displayMode: "list" } },
  targets: [{ refId: "A", datasource: DATASOURCE, expr, legendFormat: legend || "__auto" }],
});

/** The colours of a stat, each from its value on; null is Grafana's name of the lowest value. */
const steps = (atLeast: number | undefined, atMost: number | undefined) => [
  ...(atLeast === undefined ? [] : [{ color: "red", value: null }]),
  { color: "green", value: atLeast ?? null },
  ...(atMost === undefined ? [] : [{ color: "red", value: atMost + 1 }]),
];
