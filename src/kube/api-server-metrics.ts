/**
 * Reads, line by line, what a kube-apiserver's /metrics say about its EncryptionConfiguration
 * (pkg/server/options/encryptionconfig/metrics of k8s.io/apiserver).
 */
import type { KubeClient } from "./client.ts";

/** An API server's report about itself. */
export interface ApiServerWord {
  /** The start time of its process, in epoch milliseconds. */
  readonly startTime?: number;
  /** The hash of its identity; undefined if no series has it. */
  readonly idHash?: string;
  /** The hash of the file that it uses, as of its start or its last reload. */
  readonly configHash?: string;
  /** Kubernetes 1.MINOR. */
  readonly minor?: number;
  /** Reloads that succeeded since its start. */
  readonly reloads: number;
  /**
   * The time of its last reload of another file, and of its last attempt that failed, in epoch milliseconds.
   */
  readonly reloadedAt?: number;
  readonly droppedAt?: number;
  /** True if there is a series that only an API server with a file has. */
  readonly hasFile: boolean;
  /** The address of the other end of the connection. */
  readonly address?: string;
}

const CONFIG_INFO = "apiserver_encryption_config_controller_last_config_info";
const RELOADS = "apiserver_encryption_config_controller_automatic_reloads_total";
const RELOAD_TIME = "apiserver_encryption_config_controller_automatic_reload_last_timestamp_seconds";
const KMS_STATUS = "apiserver_envelope_encryption_key_id_hash_status_last_timestamp_seconds";
const START = "process_start_time_seconds";
const BUILD = "kubernetes_build_info";
const NAMES = [CONFIG_INFO, RELOADS, RELOAD_TIME, KMS_STATUS, START, BUILD] as const;

/** The first release in which an API server with a file reports the file's hash. */
export const FIRST_MINOR_WITH_HASH = 34;
/** The metrics of an API server with thousands of resources are smaller. */
const MAX_BYTES = 64 * 1024 * 1024;
const MAX_LINE_LENGTH = 4_096;
const MAX_SERIES = 1_000;
const HASH = /^sha256:[0-9a-f]{64}$/;
/** Newer releases only send the metrics named here, and older releases send all. */
const PATH = `/metrics?${NAMES.map((name) => `name%5B%5D=${name}`).join("&")}`;

/** Asks the API server behind a kubeconfig. Throws KubeError or ApiServer. */
export async function askApiServer(client: KubeClient, signal: AbortSignal): Promise<ApiServerWord> {
  const scan = new MetricsScan();
  const address = await client.scan({ path: PATH, maxBytes: MAX_BYTES, signal }, (line) => scan.line(line));
  const word = { ...scan.word, ...(address !== undefined && { address }) };
  if (word.hasFile || word.minor !== undefined) return word;
  // If there is no series about a file, the meaning depends on the release.
  const minor = await askRelease(client, signal);
  return { ...word, ...(minor !== undefined && { minor }) };
}

/** Returns the minor release of Kubernetes 1.MINOR from the version endpoint. */
async function askRelease(client: KubeClient, signal: AbortSignal): Promise<number | undefined> {
  const answer = await client.request({ method: "GET", path: "/version", signal });
  const fields = new Map(typeof answer === "object" && answer !== null ? Object.entries(answer) : []);
  return minorOf(String(fields.get("major")), String(fields.get("minor")));
}

/** Collects the few series that matter, and ignores lines that it does not understand. */
export class MetricsScan {
  readonly #ids = new Set<string>();
  readonly #hashes = new Set<string>();
  #startTime: number | undefined;
  #minor: number | undefined;
  #reloads = 0;
  #reloadedAt: number | undefined;
  #droppedAt: number | undefined;
  #hasFile = false;
  #series = 0;

  line(line: string): void {
    const name = nameOf(line);
    if (name === undefined || line.length > MAX_LINE_LENGTH || this.#series >= MAX_SERIES) return;
    this.#series += 1;
    const labels = labelsOf(line);
    const value = Number(line.slice(line.lastIndexOf(" ") + 1));
    if (!Number.isFinite(value)) return;
    const id = labels.get("apiserver_id_hash") ?? "";
    if (HASH.test(id)) this.#ids.add(id);
    this.#take(name, labels, value);
  }

  get word(): ApiServerWord {
    return {
      ...(this.#startTime !== undefined && { startTime: this.#startTime }),
      ...only("idHash", this.#ids),
      ...only("configHash", this.#hashes),
      ...(this.#minor !== undefined && { minor: this.#minor }),
      reloads: this.#reloads,
      ...(this.#reloadedAt !== undefined && { reloadedAt: this.#reloadedAt }),
      ...(this.#droppedAt !== undefined && { droppedAt: this.#droppedAt }),
      hasFile: this.#hasFile,
    };
  }

  #take(name: (typeof NAMES)[number], labels: ReadonlyMap<string, string>, value: number): void {
    const isSuccess = labels.get("status") === "success";
    switch (name) {
      case CONFIG_INFO:
        this.#hasFile = true;
        if (value === 1 && HASH.test(labels.get("hash") ?? "")) this.#hashes.add(labels.get("hash") ?? "");
        return;
      case RELOADS:
        this.#hasFile = true;
        if (isSuccess) this.#reloads += value;
        return;
      case RELOAD_TIME:
        if (isSuccess) this.#reloadedAt = latest(this.#reloadedAt, value);
        else this.#droppedAt = latest(this.#droppedAt, value);
        return;
      case KMS_STATUS:
        this.#hasFile = true;
        return;
      case START:
        this.#startTime = value * 1000;
        return;
      case BUILD:
        this.#minor = minorOf(labels.get("major"), labels.get("minor"));
    }
  }
}

/** Two different values say nothing. */
const only = <K extends string>(key: K, values: ReadonlySet<string>): { readonly [P in K]?: string } =>
  values.size === 1 ? ({ [key]: [...values][0] } as { readonly [P in K]?: string }) : {};

function nameOf(line: string): (typeof NAMES)[number] | undefined {
  return NAMES.find(
    (name) => line.startsWith(name) && (line[name.length] === "{" || line[name.length] === " "),
  );
}

function labelsOf(line: string): ReadonlyMap<string, string> {
  const pairs = line.matchAll(/([a-zA-Z_]\w*)="((?:[^"\\]|\\.)*)"/g);
  return new Map([...pairs].map(([, name = "", value = ""]) => [name, value]));
}

/** Distributions write `34+`. Nothing is known about Kubernetes 2. */
function minorOf(major: string | undefined, minor: string | undefined): number | undefined {
  const [, digits] = /^(\d{1,4})\+?$/.exec(minor ?? "") ?? [];
  return major === "1" && digits !== undefined ? Number(digits) : undefined;
}

const latest = (before: number | undefined, seconds: number): number =>
  Math.max(before ?? 0, Math.round(seconds * 1000));
