/**
 * What a kube-apiserver's /metrics says of its EncryptionConfiguration, read line by line
 * (pkg/server/options/encryptionconfig/metrics of k8s.io/apiserver).
 */
import type { KubeClient } from "./client.ts";

/** What an API server says of itself. */
export interface ApiServerWord {
  /** When its process was started, in epoch milliseconds. */
  readonly startTime?: number;
  /** The hash of its identity; undefined if no series has it. */
  readonly idHash?: string;
  /** The hash of the file that it uses, as it was read at its start or at the last reload. */
  readonly configHash?: string;
  /** Kubernetes 1.MINOR. */
  readonly minor?: number;
  /** Reloads that succeeded since its start. */
  readonly reloads: number;
  /** When it last took up, and last tried and dropped, another file, in epoch milliseconds. */
  readonly reloadedAt?: number;
  readonly droppedAt?: number;
  /** Whether any series is there that an API server without a file does not have. */
  readonly hasFile: boolean;
  /** The address that the connection led to. */
  readonly address?: string;
}

const CONFIG_INFO = "apiserver_encryption_config_controller_last_config_info";
const RELOADS = "apiserver_encryption_config_controller_automatic_reloads_total";
const RELOAD_TIME = "apiserver_encryption_config_controller_automatic_reload_last_timestamp_seconds";
const KMS_STATUS = "apiserver_envelope_encryption_key_id_hash_status_last_timestamp_seconds";
const START = "process_start_time_seconds";
const BUILD = "kubernetes_build_info";
const NAMES = [CONFIG_INFO, RELOADS, RELOAD_TIME, KMS_STATUS, START, BUILD] as const;

/** The release from which on an API server that has a file names its hash. */
export const FIRST_MINOR_WITH_HASH = 34;
/** That of an API server with thousands of resources has less. */
const MAX_BYTES = 64 * 1024 * 1024;
const MAX_LINE_LENGTH = 4_096;
const MAX_SERIES = 1_000;
const HASH = /^sha256:[0-9a-f]{64}$/;
/** Newer releases send what is named here alone, older ones everything. */
const PATH = `/metrics?${NAMES.map((name) => `name%5B%5D=${name}`).join("&")}`;

/** Asks the API server behind a kubeconfig. Throws KubeError or ApiServer. */
export async function askApiServer(client: KubeClient, signal: AbortSignal): Promise<ApiServerWord> {
  const scan = new MetricsScan();
  const address = await client.scan({ path: PATH, maxBytes: MAX_BYTES, signal }, (line) => scan.line(line));
  const word = { ...scan.word, ...(address !== undefined && { address }) };
  if (word.hasFile || word.minor !== undefined) return word;
  // Its release decides what it means that there is no series of a file.
  const minor = await askRelease(client, signal);
  return { ...word, ...(minor !== undefined && { minor }) };
}

/** Kubernetes 1.MINOR, by its own word elsewhere. */
async function askRelease(client: KubeClient, signal: AbortSignal): Promise<number | undefined> {
  const answer = await client.request({ method: "GET", path: "/version", signal });
  const fields = new Map(typeof answer === "object" && answer !== null ? Object.entries(answer) : []);
  return minorOf(String(fields.get("major")), String(fields.get("minor")));
}

/** Collects the few series that matter. What it does not understand it ignores. */
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

/** Two that differ say nothing. */
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

/** Distributions write `34+`. Of Kubernetes 2 nobody knows anything. */
function minorOf(major: string | undefined, minor: string | undefined): number | undefined {
  const [, digits] = /^(\d{1,4})\+?$/.exec(minor ?? "") ?? [];
  return major === "1" && digits !== undefined ? Number(digits) : undefined;
}

const latest = (before: number | undefined, seconds: number): number =>
  Math.max(before ?? 0, Math.round(seconds * 1000));
