import { mayRotate } from "../../crypto/key-specs.ts";
import { oneLine, printable } from "../../printable.ts";
import type { NodeReport } from "../site/stored-data.ts";
import { distanceText, durationText } from "../terminal/ago.ts";
import { type Style, styled } from "../terminal/style.ts";
import { table } from "../terminal/table.ts";
import { item } from "../terminal/wrap.ts";
import type { ApiServerReport, KeyReport, ProviderReport, StatusReport } from "./report.ts";

export interface ScreenOptions {
  readonly now: number;
  /** The columns of the terminal; unlimited in a pipe. */
  readonly width: number;
  /** Adds ids and paths. */
  readonly wide: boolean;
}

/** Renders the report for a person. The result is for `printStyled`. */
export function screen(report: StatusReport, wrong: readonly string[], given: ScreenOptions): string {
  const { providers, keys, apiServer, nodes } = report;
  // Ids are copied, so they are never broken into lines.
  const options = given.wide ? { ...given, width: Number.POSITIVE_INFINITY } : given;
  return [
    report.node === undefined ? "" : providersTable(providers, keys ?? [], options),
    apiServer === undefined || isToldElsewhere(report) ? "" : item(apiServerText(apiServer), given.width, ""),
    keys === undefined ? "" : keysTable(keys, report.node === undefined, options),
    nodes === undefined || nodes.length === 0 ? "" : nodesTable(nodes, options),
    wrongText(wrong, given.width),
  ]
    .filter((part) => part !== "")
    .join("\n");
}

function providersTable(
  providers: readonly ProviderReport[],
  keys: readonly KeyReport[],
  { width, wide }: ScreenOptions,
): string {
  const rows = providers.map((provider) => [
    provider.name,
    provider.encrypts?.join(", ") || "-",
    `${provider.serves}${versionOf(provider, keys)}`,
    ...(wide ? [provider.kmsKeyId ?? "", provider.socket] : []),
    statusWord(provider),
  ]);
  const header = ["PROVIDER", "ENCRYPTS", "UNDER", ...(wide ? ["KEY_ID", "SOCKET"] : []), "STATUS"];
  return table(header, rows, { width, style: styleOf });
}

/** The sentence about a failure is in the list of what is wrong. */
const statusWord = ({ status, notAskedSince }: ProviderReport): string =>
  status !== "ok" ? "not serving" : notAskedSince === undefined ? "ok" : "not asked";

function versionOf({ kmsKeyId }: ProviderReport, keys: readonly KeyReport[]): string {
  const key = keys.find((each) => each.kmsKeyId !== undefined && each.kmsKeyId === kmsKeyId);
  return key?.currentVersion === undefined ? "" : ` v${key.currentVersion}`;
}

/** A node shows by provider what is encrypted; a report of the cluster has no providers. */
function keysTable(
  keys: readonly KeyReport[],
  ofCluster: boolean,
  { width, wide, now }: ScreenOptions,
): string {
  const rows = keys.map((key) => [
    key.key,
    key.state,
    key.currentVersion === undefined ? "-" : String(key.currentVersion),
    ...(wide ? [key.kmsKeyId ?? "-", key.keyId] : []),
    ...(ofCluster ? [key.encrypts?.join(", ") || "-"] : []),
    dataText(key, now),
    rotationText(key, now),
  ]);
  const ids = wide ? ["KEY_ID", "MASTERKEY UUID"] : [];
  const encrypts = ofCluster ? ["ENCRYPTS"] : [];
  const header = ["KEY", "STATE", "VERSION", ...ids, ...encrypts, "STORED DATA", "NEXT ROTATION"];
  return table(header, rows, { width, style: styleOf });
}

function rotationText({ keySpec, nextRotation }: KeyReport, now: number): string {
  if (keySpec !== undefined && !mayRotate(keySpec)) return "never";
  return nextRotation === undefined ? "on request" : distanceText(nextRotation, now);
}

/** Returns a reason, or that no leader could be asked. */
export function dataText({ storedData }: Pick<KeyReport, "storedData">, now: number): string {
  if (storedData === undefined) return "-";
  if ("unknown" in storedData) return "unknown";
  const { reason, progress, censusTime } = storedData;
  if (progress !== undefined) {
    const left =
      progress.secondsLeft === undefined ? "" : `, ${durationText(progress.secondsLeft * 1000)} left`;
    return `${reason} ${progress.done}/${progress.total}${left}`;
  }
  const counted = reason === "Verified" && censusTime !== undefined;
  return counted ? `${reason} ${distanceText(censusTime, now)}` : reason;
}

function nodesTable(nodes: readonly NodeReport[], { width }: ScreenOptions): string {
  const rows = nodes.map(({ name, ready, providers }) => [
    name,
    ready,
    providers
      .map(({ name: provider, serves, version }) => `${provider}: ${serves}${version ? ` v${version}` : ""}`)
      .join(", ") || "-",
  ]);
  return table(["NODE", "READY", "SERVES"], rows, { width, style: styleOf });
}

const GOOD = /^(ok|Enabled|True|Verified\b.*)$/;
const BAD = /^(not serving|not asked|False|Unknown|unknown|NoVersion|Expired|Destroyed)$/;

function styleOf(text: string, title: string): Style {
  if (text === "-" || !["STATUS", "STATE", "READY", "STORED DATA"].includes(title)) return "plain";
  return GOOD.test(text) ? "green" : BAD.test(text) ? "red" : "yellow";
}

/** An API server that does not answer is in the list of what is wrong. */
const isToldElsewhere = ({ apiServer, clusterUnknown }: StatusReport): boolean =>
  clusterUnknown !== undefined && apiServer?.inStep === undefined;

const apiServerText = ({ encryptionConfig, message }: ApiServerReport): string =>
  encryptionConfig === "Loaded"
    ? "API server: it uses the EncryptionConfiguration on the disk"
    : `API server: ${oneLine(message ?? encryptionConfig ?? "", 1_000)}`;

function wrongText(wrong: readonly string[], width: number): string {
  if (wrong.length === 0) return styled("Nothing is wrong.", "green").concat("\n");
  const items = wrong.map((text) => item(printable(text.replaceAll(/\s+/g, " ")), width));
  return `${styled("Wrong:", "red")}\n${items.join("")}`;
}
