import { printable } from "../../printable.ts";

/** A longer cell would push every other column off the screen. */
const MAX_CELL_LENGTH = 512;

/**
 * Renders columns as wide as their widest cell, two spaces apart. Unsafe characters in a cell are escaped,
 * and no cell starts a new row.
 */
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
