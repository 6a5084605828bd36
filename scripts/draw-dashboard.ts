/** Draws the dashboard's panels from the answers to their queries, as Grafana would arrange them. */
import { type Panel, rows } from "./dashboard-panels.ts";

/** A series of Prometheus: its labels, and its samples as [seconds, value]. */
export interface DrawnSeries {
  readonly metric: Readonly<Record<string, string>>;
  readonly values: readonly (readonly [number, number])[];
}

export interface Drawn {
  readonly panel: Panel;
  readonly series: readonly DrawnSeries[];
}

export interface Period {
  readonly begun: number;
  readonly ended: number;
}

interface Box {
  readonly x: number;
  readonly y: number;
  readonly w: number;
  readonly h: number;
}

const WIDTH = 1500;
const MARGIN = 12;
const ROW_HEIGHT = 26;
const HEIGHT = { stat: 110, timeseries: 210 };
/** A panel names so many series. */
const NAMED = 4;
const COLOURS = ["#7eb26d", "#eab839", "#6ed0e0", "#ef843c", "#e24d42", "#1f78c1", "#ba43a9", "#9ac48a"];

/** Returns a picture in SVG. */
export function drawDashboard(drawn: readonly Drawn[], period: Period): string {
  const parts: string[] = [];
  let y = MARGIN;
  for (const { title, panels } of rows) {
    parts.push(text(MARGIN, y + 18, title, { size: 15, fill: "#d8d9da", weight: 600 }));
    y += ROW_HEIGHT;
    const w = (WIDTH - MARGIN * (panels.length + 1)) / panels.length;
    const h = Math.max(...panels.map(({ kind }) => HEIGHT[kind]));
    for (const [index, panel] of panels.entries()) {
      const series = drawn.find((one) => one.panel === panel)?.series ?? [];
      parts.push(drawPanel({ panel, series }, { x: MARGIN + index * (w + MARGIN), y, w, h }, period));
    }
    y += h + MARGIN;
  }
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${y}" font-family="sans-serif">`,
    "<title>The panels of the dashboard of claviger</title>",
    `<rect width="${WIDTH}" height="${y}" fill="#111217"/>`,
    ...parts,
    "</svg>\n",
  ].join("\n");
}

function drawPanel({ panel, series }: Drawn, box: Box, period: Period): string {
  const { x, y, w, h } = box;
  const frame = `<rect x="${fixed(x)}" y="${y}" width="${fixed(w)}" height="${h}" rx="3" fill="#181b1f" stroke="#2c3235"/>`;
  const title = text(x + 10, y + 20, panel.title, { size: 12, fill: "#ccccdc", weight: 600 });
  const content =
    panel.kind === "stat" ? drawStat(panel, series, box) : drawLines({ panel, series }, box, period);
  return [frame, title, content].join("\n");
}

function drawStat(panel: Panel, series: readonly DrawnSeries[], { x, y, w }: Box): string {
  const width = w / Math.max(1, series.length);
  return series
    .map(({ metric, values }, index) => {
      const value = values.at(-1)?.[1] ?? Number.NaN;
      const { atLeast = Number.NEGATIVE_INFINITY, atMost = Number.POSITIVE_INFINITY } = panel;
      const isBad = value < atLeast || value > atMost;
      const middle = x + (index + 0.5) * width;
      const figure = { size: 36, fill: isBad ? "#f2495c" : "#73bf69", weight: 600, anchor: "middle" };
      const name = { size: 11, fill: "#9fa7b3", anchor: "middle" };
      return (
        text(middle, y + 72, shown(value, panel.unit), figure) +
        text(middle, y + 94, nameOf(panel, metric), name)
      );
    })
    .join("\n");
}

function drawLines({ panel, series }: Drawn, { x, y, w, h }: Box, { begun, ended }: Period): string {
  const plot = { x: x + 58, y: y + 34, w: w - 72, h: h - 62 - 15 * Math.min(NAMED, series.length) };
  const finite = series.flatMap(({ values }) => values.map(([, value]) => value)).filter(Number.isFinite);
  const top = Math.max(...finite, 0) || 1;
  const left = (at: number) => plot.x + ((at - begun) / (ended - begun)) * plot.w;
  const height = (value: number) => plot.y + plot.h - (Math.max(0, value) / top) * plot.h;
  const grid = [0, 0.5, 1].map((share) => {
    const level = plot.y + plot.h * (1 - share);
    const line = `<path d="M${fixed(plot.x)} ${fixed(level)}h${fixed(plot.w)}" stroke="#2c3235"/>`;
    const label = { size: 10, fill: "#9fa7b3", anchor: "end" };
    return line + text(plot.x - 5, level + 3, shown(top * share, panel.unit), label);
  });
  const lines = series.map(({ values }, index) => {
    const points = values.filter(([, value]) => Number.isFinite(value));
    const path = points.map(([at, value]) => `${fixed(left(at))} ${fixed(height(value))}`).join("L");
    return path === "" ? "" : `<path d="M${path}" fill="none" stroke="${colour(index)}" stroke-width="1.5"/>`;
  });
  const names = series.slice(0, NAMED).map(({ metric, values }, index) => {
    const last = shown(values.at(-1)?.[1] ?? Number.NaN, panel.unit);
    const more = index === NAMED - 1 && series.length > NAMED ? ` and ${series.length - NAMED} more` : "";
    const at = plot.y + plot.h + 30 + 15 * index;
    return text(x + 12, at, `— ${nameOf(panel, metric)} ${last}${more}`, { size: 11, fill: colour(index) });
  });
  const time = { size: 10, fill: "#9fa7b3" };
  const ends = [
    text(plot.x, plot.y + plot.h + 13, "0", { ...time, anchor: "middle" }),
    text(plot.x + plot.w, plot.y + plot.h + 13, shown(ended - begun, "s"), { ...time, anchor: "end" }),
  ];
  return [...grid, ...lines, ...ends, ...names].join("\n");
}

const colour = (index: number): string => COLOURS[index % COLOURS.length] ?? "#7eb26d";

/** Returns a series' name by the panel's legend, or nothing if its series has no labels. */
const nameOf = ({ legend }: Panel, metric: DrawnSeries["metric"]): string =>
  legend.replaceAll(/\{\{(\w+)\}\}/g, (_, label: string) => metric[label] ?? "");

const SCALES: Readonly<Record<Panel["unit"], readonly (readonly [number, string])[]>> = {
  short: [],
  reqps: [[1, "/s"]],
  percentunit: [[0.01, " %"]],
  bytes: [
    [2 ** 30, " GiB"],
    [2 ** 20, " MiB"],
    [2 ** 10, " KiB"],
  ],
  s: [
    [86_400, " d"],
    [3_600, " h"],
    [60, " min"],
    [1, " s"],
    [0.001, " ms"],
  ],
};

/** Returns a value with the largest unit that it reaches. */
function shown(value: number, unit: Panel["unit"]): string {
  if (!Number.isFinite(value)) return "–";
  const [size, name] = SCALES[unit].find(([least]) => Math.abs(value) >= least) ??
    SCALES[unit].at(-1) ?? [1, ""];
  return `${Number((value / size).toPrecision(3))}${name}`;
}

const fixed = (value: number): string => String(Number(value.toFixed(1)));

interface Style {
  readonly size: number;
  readonly fill: string;
  readonly weight?: number;
  readonly anchor?: string;
}

function text(x: number, y: number, content: string, { size, fill, weight, anchor }: Style): string {
  const more = `${weight === undefined ? "" : ` font-weight="${weight}"`}${anchor === undefined ? "" : ` text-anchor="${anchor}"`}`;
  return `<text x="${fixed(x)}" y="${fixed(y)}" font-size="${size}" fill="${fill}"${more}>${escaped(content)}</text>`;
}

const escaped = (content: string): string =>
  content.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
