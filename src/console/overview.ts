import { printable } from "../printable.ts";

/** The colour of a word: good, on its way, wrong, or none. */
export type Tone = "good" | "moving" | "bad" | "plain";

/** A word with its colour. */
export interface Word {
  readonly text: string;
  readonly tone: Tone;
}

/** A re-encryption that runs. */
export interface Progress {
  readonly done: number;
  readonly total: number;
  readonly secondsLeft?: number;
}

export interface KeyRow {
  readonly key: string;
  readonly state: Word;
  readonly version: string;
  readonly data: Word & { readonly progress?: Progress };
  readonly rotation: Word;
  /** The time of the next rotation, if one is due. */
  readonly nextRotation?: string;
}

export interface VersionRow {
  readonly key: string;
  readonly version: string;
  readonly state: Word;
  readonly kmsKeyId: string;
  readonly age: string;
}

export interface NodeRow {
  readonly node: string;
  readonly ready: Word;
  readonly serves: readonly string[];
  readonly apiServer: Word;
}

/** A condition that somebody should know of. */
export interface Problem {
  /** KIND NAMESPACE/NAME. */
  readonly object: string;
  readonly reason: string;
  /** What happened and what to do. */
  readonly message: string;
  readonly since?: string;
  /** False if it passes by itself, or somebody wanted it. */
  readonly needsSomebody: boolean;
}

/** A list of the page, or the API server's refusal to give it to this caller. */
export type Part<Row> =
  | { readonly rows: readonly Row[]; readonly more: boolean }
  | { readonly refused: string };

/** Everything that the page shows to one caller. */
export interface Overview {
  /** The node whose operator serves the page. */
  readonly node: string;
  /** The API server's time. */
  readonly time: string;
  readonly problems: readonly Problem[];
  readonly keys: Part<KeyRow>;
  readonly versions: Part<VersionRow>;
  readonly nodes: Part<NodeRow>;
  /** True if something was not seen: a list was refused or cut, so nothing says that all is well. */
  readonly partial: boolean;
  /** True while something is on its way, so that the page looks again sooner. */
  readonly moving: boolean;
}

/** The limit of a name or a word. */
const MAX_WORD = 600;

/** Makes a text of an object safe to show. */
export const shown = (text: string | undefined): string => printable(text ?? "", MAX_WORD);

export const word = (text: string, tone: Tone): Word => ({ text: shown(text), tone });
