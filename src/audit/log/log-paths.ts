import { basename, dirname, join } from "node:path";

/** The files of a log (docs/formats.md, "Audit log"). */
export interface LogPaths {
  readonly folder: string;
  /** The newest lines. */
  readonly lines: string;
  readonly leaves: string;
  readonly checkpoint: string;
  readonly checkpoints: string;
  readonly state: string;
  readonly lock: string;
  /** A closed file whose first line has this number; `copy` tells apart files that say the same of themselves. */
  closed(first: number, copy?: number): string;
}

const DIGITS = 14;

/** Returns the paths of the log whose newest lines are at `path`, which ends in ".jsonl". */
export function logPaths(path: string): LogPaths {
  const folder = dirname(path);
  const stem = basename(path, ".jsonl");
  return {
    folder,
    lines: path,
    leaves: `${path}.leaves`,
    checkpoint: `${path}.checkpoint`,
    checkpoints: `${path}.checkpoints`,
    state: `${path}.state`,
    lock: `${path}.lock`,
    closed: (first, copy = 0) =>
      join(folder, `${stem}-${String(first).padStart(DIGITS, "0")}${copy === 0 ? "" : `.${copy}`}.jsonl`),
  };
}

/** A closed file of a log. */
export interface ClosedFile {
  readonly name: string;
  /** The number of its first line. */
  readonly first: number;
  readonly isCompressed: boolean;
}

/** Returns the closed files of a log among the names of its folder, the oldest first. */
export function closedFiles(path: string, names: readonly string[]): readonly ClosedFile[] {
  const stem = basename(path, ".jsonl");
  return names
    .flatMap((name): ClosedFile[] => {
      if (!name.startsWith(`${stem}-`)) return [];
      const [, digits, gz] = /^(\d{14})(?:\.\d+)?\.jsonl(\.gz)?$/.exec(name.slice(stem.length + 1)) ?? [];
      return digits === undefined ? [] : [{ name, first: Number(digits), isCompressed: gz !== undefined }];
    })
    .sort((a, b) => a.first - b.first || Number(a.isCompressed) - Number(b.isCompressed));
}
