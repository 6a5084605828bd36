import { closeSync, existsSync, fstatSync, openSync, readdirSync } from "node:fs";
import { basename, join } from "node:path";
import { fieldsOf, parsedJson } from "../../json.ts";
import { closedFiles, logPaths } from "../log/log-paths.ts";
import { LOG_STARTED, numberOfFirstLine } from "../log/own-events.ts";
import { fileLines, type LineSource } from "./file-lines.ts";

/** A file of lines of a log. */
export interface Segment extends LineSource {
  readonly name: string;
  /** The time of the last change, in epoch milliseconds. */
  readonly changedAt: number;
}

/** A file whose name says the number of its first line. */
export interface ClosedSegment extends Segment {
  readonly first: number;
}

/** The file of the newest lines, whose first line says its number. */
export interface NewestSegment extends Segment {
  readonly first: number | undefined;
}

/** The files of lines of a log as they were at one moment; the newest file is kept open. */
export interface Segments {
  readonly closed: readonly ClosedSegment[];
  readonly newest: NewestSegment | undefined;
  close(): void;
}

/** Finds the files of a log, the oldest first. Throws what the disk throws. */
export async function openSegments(path: string): Promise<Segments> {
  const { folder } = logPaths(path);
  // Opened before the folder is read: if it is closed meanwhile, the folder has it under its number.
  const fd = existsSync(path) ? openSync(path, "r") : undefined;
  const newest = fd === undefined ? undefined : await newestSegment(path, fd);
  const closed = closedFiles(path, readdirSync(folder))
    .filter((file, at, all) => all[at - 1]?.first !== file.first || isCopy(file))
    .map(
      ({ name, first, isCompressed }): ClosedSegment => ({
        path: join(folder, name),
        name,
        first,
        isCompressed,
        changedAt: 0,
      }),
    );
  return {
    // Closed since it was opened: it is read as it was opened.
    closed: closed.filter(({ first }) => first !== newest?.first),
    newest,
    close: () => {
      if (fd !== undefined) closeSync(fd);
    },
  };
}

/** While a file is compressed it is there twice; copies have a number of their own in their names. */
const isCopy = ({ name }: { readonly name: string }): boolean => /\.\d+\.jsonl/.test(name);

async function newestSegment(path: string, fd: number): Promise<NewestSegment> {
  const source = { path, fd, isCompressed: false };
  const first = await firstNumber(source);
  return { ...source, name: basename(path), first, changedAt: fstatSync(fd).mtimeMs };
}

/** Returns the number of the first line of a file, which this line says; undefined if it does not. */
async function firstNumber(source: LineSource): Promise<number | undefined> {
  const line = await firstLine(source);
  return numberOfFirstLine(line) ?? (fieldsOf(line).eventName === LOG_STARTED ? 0 : undefined);
}

/** Returns the first line of a file, parsed; undefined if there is none or it is no JSON. */
export async function firstLine(source: LineSource): Promise<unknown> {
  for await (const lines of fileLines(source)) {
    const [first] = lines;
    if (first !== undefined)
      return first.kind === "line" ? parsedJson(first.bytes.toString("utf8")) : undefined;
  }
  return undefined;
}
