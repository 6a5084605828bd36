import type { Goal } from "./goals.ts";
import type { Peers } from "./peers.ts";
import type { Build } from "./plugins.ts";
import type { Scale } from "./scale.ts";
import type { Table } from "./table.ts";

/** What every part of a run needs. */
export interface Bench {
  /** A folder of the run's own, removed at its end. */
  readonly dir: string;
  readonly peers: Peers;
  /** This claviger, as its image has it. */
  readonly claviger: Build;
  /** Another build that is measured in the same run, if one was named. */
  readonly beside: Build | undefined;
  readonly scale: Scale;
  /** One line for whoever waits. */
  readonly progress: (line: string) => void;
}

/** What a part of a run found. */
export interface PartResult {
  readonly title: string;
  /** How it was measured. */
  readonly method: string;
  readonly tables: readonly Table[];
  readonly goals: readonly Goal[];
}

/** Measures one thing, leaving no process behind. */
export type Part = (bench: Bench) => Promise<PartResult>;
