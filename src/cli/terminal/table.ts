import { printable } from "../../printable.ts";
import { type Style, styled } from "./style.ts";
import { wrapped } from "./wrap.ts";

/** A longer cell would push every other column off the screen. */
const MAX_CELL_LENGTH = 512;
/** A column is not made narrower than this. */
const MIN_COLUMN = 8;
const GAP = 2;

export interface TableOptions {
  /** The columns of the screen. Cells of a wider table are continued on the next line. Unlimited if left out. */
  readonly width?: number;
  /** The titles of columns that are never broken, because people copy their cells. */
  readonly whole?: readonly string[];
  /**
   * Returns the style of a cell by its text and its column's title; the header is bold then. Only for
   * `printStyled`.
   */
  readonly style?: (text: string, title: string) => Style;
}

/**
 * Renders columns as wide as their widest cell, two spaces apart. Unsafe characters in a cell are escaped,
 * and no cell starts a new row.
 */
export function table(
  header: readonly string[],
  cells: readonly (readonly string[])[],
  { width = Number.POSITIVE_INFINITY, whole = [], style }: TableOptions = {},
): string {
  const rows = cells.map((row) => row.map((cell) => printable(cell, MAX_CELL_LENGTH)));
  const widths = fitting(naturalWidths(header, rows), header, { width, whole });
  const head = line(
    header.map((title) => ({ text: title, style: style === undefined ? "plain" : "bold" })),
    widths,
  );
  return [head, ...rows.flatMap((row) => rowLines(row, header, widths, style ?? (() => "plain")))]
    .map((each) => `${each}\n`)
    .join("");
}

const naturalWidths = (header: readonly string[], rows: readonly (readonly string[])[]): number[] =>
  header.map((title, column) => Math.max(title.length, ...rows.map((row) => (row[column] ?? "").length)));

/** Makes the widest column narrower until the table fits, or no column can become narrower. */
function fitting(
  natural: readonly number[],
  header: readonly string[],
  { width, whole }: Required<Pick<TableOptions, "width" | "whole">>,
): number[] {
  const widths = [...natural];
  const least = header.map((title, column) =>
    whole.includes(title) ? (natural[column] ?? 0) : Math.max(title.length, MIN_COLUMN),
  );
  const room = width - GAP * (header.length - 1);
  for (let over = sum(widths) - room; over > 0; over -= 1) {
    const spare = widths.map((each, column) => each - (least[column] ?? 0));
    const widest = spare.indexOf(Math.max(...spare));
    if ((spare[widest] ?? 0) <= 0) break;
    widths[widest] = (widths[widest] ?? 0) - 1;
  }
  return widths;
}

const sum = (numbers: readonly number[]): number => numbers.reduce((total, each) => total + each, 0);

interface Cell {
  readonly text: string;
  readonly style: Style;
}

function rowLines(
  row: readonly string[],
  header: readonly string[],
  widths: readonly number[],
  style: NonNullable<TableOptions["style"]>,
): string[] {
  const parts = row.map((text, column) => wrapped(text, widths[column] ?? text.length));
  const height = Math.max(1, ...parts.map(({ length }) => length));
  return Array.from({ length: height }, (_, at) =>
    line(
      row.map((text, column) => ({
        text: parts[column]?.[at] ?? "",
        style: style(text, header[column] ?? ""),
      })),
      widths,
    ),
  );
}

/** Styles a cell without its padding, and pads no cell at the end of the line. */
function line(cells: readonly Cell[], widths: readonly number[]): string {
  const last = cells.findLastIndex(({ text }) => text !== "");
  return cells
    .slice(0, last + 1)
    .map(({ text, style }, column) => {
      const padding = column === last ? "" : " ".repeat(Math.max(0, (widths[column] ?? 0) - text.length));
      return `${styled(text, style)}${padding}`;
    })
    .join(" ".repeat(GAP));
}
