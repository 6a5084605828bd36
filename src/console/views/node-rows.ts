import { conditionOf } from "../../resources/conditions.ts";
import type { KeyServer } from "../../resources/resources.ts";
import { type NodeRow, shown, type Tone, type Word, word } from "../overview.ts";

/** A node serves few keys, and the page is small. */
const MOST_PROVIDERS = 32;

/** Returns the rows of the KeyServers, in their order. */
export const nodeRows = (keyServers: readonly KeyServer[]): NodeRow[] => keyServers.map(nodeRow);

function nodeRow({ metadata, status }: KeyServer): NodeRow {
  const ready = conditionOf(status?.conditions, "Ready")?.status ?? "Unknown";
  const providers = (status?.providers ?? []).slice(0, MOST_PROVIDERS);
  return {
    node: shown(metadata.name),
    ready: word(ready, ready === "True" ? "good" : "bad"),
    serves: providers.map(({ name, serves, version }) =>
      shown(`${name}: ${serves}${version === undefined ? "" : ` v${version}`}`),
    ),
    apiServer: apiServerOf(status),
  };
}

const TONES: Readonly<Record<string, Tone>> = { Loaded: "good", NotLoaded: "bad", NotConfigured: "bad" };

function apiServerOf(status: KeyServer["status"]): Word {
  const config = status?.apiServer?.encryptionConfig;
  return config === undefined ? word("-", "plain") : word(config, TONES[config] ?? "plain");
}
