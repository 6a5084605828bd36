import { parsedJson } from "../../json.ts";
import { HASH_BYTES, leafHash } from "../tree/hashes.ts";
import { type FileLine, fileLines } from "./file-lines.ts";
import { type KeyEvent, keyEventOf } from "./key-chain.ts";
import type { Segment } from "./segments.ts";

/** The contents of a file of lines, without the texts. Lines count from 0 here. */
export interface SegmentLines {
  readonly count: number;
  /** The leaf hash of each line, one after another. A line that cannot be read has zeros. */
  readonly hashes: Buffer;
  /** Lines that are no JSON objects. */
  readonly malformed: readonly number[];
  /** True if the file does not end with a newline. */
  readonly isTorn: boolean;
  /** Why the file was not read to its end. */
  readonly unreadable?: string;
  /** Key events by line. */
  readonly keyEvents: ReadonlyMap<number, KeyEvent>;
}

/** Some 500 bytes a line, in the largest file of a log. */
export const MOST_LINES = 2_500_000;
const MOST_MALFORMED = 1_000;
const MOST_KEY_EVENTS = 10_000;
const FIRST_CAPACITY = 65_536;

/** Reads a file of lines. Never throws because of its contents. */
export async function readSegment(segment: Segment, onLines: (count: number) => void): Promise<SegmentLines> {
  const reading = new Reading();
  for await (const lines of fileLines(segment)) {
    for (const line of lines) reading.take(line);
    onLines(lines.length);
    if (reading.isFull) break;
  }
  return reading.lines();
}

class Reading {
  #hashes = Buffer.alloc(FIRST_CAPACITY * HASH_BYTES);
  #count = 0;
  readonly #malformed: number[] = [];
  readonly #keyEvents = new Map<number, KeyEvent>();
  #isTorn = false;
  #unreadable: string | undefined;

  get isFull(): boolean {
    return this.#unreadable !== undefined;
  }

  take(line: FileLine): void {
    if (this.isFull) return;
    if (line.kind === "unreadable") this.#unreadable = line.message;
    else if (this.#count >= MOST_LINES) this.#unreadable = `it has more than ${MOST_LINES} lines`;
    else if (line.kind === "tooLong") this.#add(Buffer.alloc(HASH_BYTES), false);
    else this.#read(line.bytes, line.kind === "torn");
  }

  #read(bytes: Buffer, isTorn: boolean): void {
    const event = this.#keyEvents.size < MOST_KEY_EVENTS ? keyEventOf(bytes, -1) : undefined;
    if (event !== undefined) this.#keyEvents.set(this.#count, event);
    this.#isTorn = isTorn;
    this.#add(leafHash(bytes), isTorn || isRecord(bytes));
  }

  #add(hash: Buffer, isRecord: boolean): void {
    if (!isRecord && this.#malformed.length < MOST_MALFORMED) this.#malformed.push(this.#count);
    if (this.#hashes.length === this.#count * HASH_BYTES)
      this.#hashes = Buffer.concat([this.#hashes, Buffer.alloc(this.#hashes.length)]);
    hash.copy(this.#hashes, this.#count * HASH_BYTES);
    this.#count += 1;
  }

  lines(): SegmentLines {
    return {
      count: this.#count,
      hashes: this.#hashes.subarray(0, this.#count * HASH_BYTES),
      malformed: this.#malformed,
      isTorn: this.#isTorn,
      ...(this.#unreadable !== undefined && { unreadable: this.#unreadable }),
      keyEvents: this.#keyEvents,
    };
  }
}

const isRecord = (bytes: Buffer): boolean => {
  const value = parsedJson(bytes.toString("utf8"));
  return typeof value === "object" && value !== null && !Array.isArray(value);
};

/** Returns the hash of a line. */
export const hashAt = ({ hashes }: Pick<SegmentLines, "hashes">, line: number): Buffer =>
  hashes.subarray(line * HASH_BYTES, (line + 1) * HASH_BYTES);
