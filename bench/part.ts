import type { Goal } from "./goals.ts";
import type { Peers } from "./peers.ts";
import type { Build } from "./plugins.ts";
import type { Scale } from "./scale.ts";
import type { Table } from "./table.ts";

/** The environment of every part of a run. */
export interface Bench {
  /** A folder for this run, removed at its end. */
  readonly dir: string;
  readonly peers: Peers;
  /** This claviger, as its image has it. */
  readonly claviger: Build;
  /** Another build that is measured in the same run, if one was named. */
  readonly beside: Build | undefined;
  readonly scale: Scale;
  /** Prints one line for the person who waits. */
  readonly progress: (line: string) => void;
}

/** The result of a part of a run. */
export interface PartResult {
  readonly title: string;
  /** The method of measurement. */
  readonly method: string;
  readonly tables: readonly Table[];
  readonly goals: readonly Goal[];
}

/** Measures one thing and leaves no process behind. */
export type Part = (bench: Bench) => Promise<PartResult>;
