import { printable } from "../../printable.ts";

/** What is longer would push every other column off the screen. */
const MAX_CELL_LENGTH = 512;

/** Columns as wide as their widest cell, two spaces apart. Nothing in a cell steers the terminal or begins a row. */
export function table(header: readonly string[], cells: readonly (readonly string[])[]): string {
  const rows = cells.map((row) => row.map((cell) => printable(cell, MAX_CELL_LENGTH)));
  const widths = header.map((title, column) =>
    Math.max(title.length, ...rows.map((row) => (row[column] ?? "").length)),
  );
  return [header, ...rows]
    .map((row) =>
      row
        .map((cell, column) => cell.padEnd(widths[column] ?? 0))
        .join("  ")
        .trimEnd(),
    )
    .map((line) => `${line}\n`)
    .join("");
}
