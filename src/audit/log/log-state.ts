import { hash } from "node:crypto";
import { fieldsOf, parsedJson } from "../../json.ts";
import { RightEdge } from "../tree/right-edge.ts";

/** Where a log stands: what whoever writes next would have to read from all of its files otherwise. */
export interface LogState {
  readonly edge: RightEdge;
  /** The file of the newest lines. */
  readonly file: {
    readonly inode: number;
    readonly bytes: number;
    /** The number of its first line. */
    readonly first: number;
  };
  /** The newest checkpoint: its lines, and when it was made. */
  readonly checkpoint: { readonly size: number; readonly at: number };
  /** When a checkpoint was last kept among the earlier ones, in epoch milliseconds. */
  readonly keptAt: number;
}

const digestOf = (text: string): string => hash("sha256", text);

/** Returns a state as the text of its file. */
export function stateText({ edge, ...rest }: LogState): string {
  const { size, roots } = edge;
  const text = JSON.stringify({ size, roots: roots.map((root) => root.toString("hex")), ...rest });
  return `${text}\n${digestOf(text)}\n`;
}

/** Reads the text of a state. Returns undefined if it is incomplete or damaged. */
export function parseState(contents: string): LogState | undefined {
  const [text = "", digest] = contents.split("\n");
  if (digest !== digestOf(text)) return undefined;
  const { size, roots, file, checkpoint, keptAt } = fieldsOf(parsedJson(text));
  const { inode, bytes, first } = fieldsOf(file);
  const { size: checked, at } = fieldsOf(checkpoint);
  const numbers = [size, inode, bytes, first, checked, at, keptAt];
  if (!numbers.every(isCount) || !Array.isArray(roots) || !roots.every(isHash)) return undefined;
  const edge = edgeOf(Number(size), roots);
  return (
    edge && {
      edge,
      file: { inode: Number(inode), bytes: Number(bytes), first: Number(first) },
      checkpoint: { size: Number(checked), at: Number(at) },
      keptAt: Number(keptAt),
    }
  );
}

const isCount = (value: unknown): boolean => Number.isSafeInteger(value) && Number(value) >= 0;
const isHash = (value: unknown): boolean => typeof value === "string" && /^[0-9a-f]{64}$/.test(value);

function edgeOf(size: number, roots: readonly string[]): RightEdge | undefined {
  try {
    return new RightEdge(
      size,
      roots.map((root) => Buffer.from(root, "hex")),
    );
  } catch {
    return undefined;
  }
}
