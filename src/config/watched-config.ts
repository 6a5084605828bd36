import { appearanceOf } from "../files/file-appearance.ts";
import { type NodeConfig, readConfig } from "./config.ts";

/** A configuration that was read, and the appearance of its file right before it was read. */
export interface WatchedConfig {
  readonly config: NodeConfig;
  readonly appearance: string;
}

/**
 * Reads a configuration whose later edits are to be noticed, however long the start takes meanwhile. Throws
 * ConfigInvalid.
 */
export function readWatchedConfig(path: string): WatchedConfig {
  const appearance = appearanceOf(path);
  return { config: readConfig(path), appearance };
}
