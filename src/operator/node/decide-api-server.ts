import { apiServerId, apiServerIdHash } from "../../kube/api-server-id.ts";
import { type ApiServerWord, FIRST_MINOR_WITH_HASH } from "../../kube/api-server-metrics.ts";
import type { Finding } from "../../resources/conditions.ts";
import type { KeyServerStatus } from "../../resources/schemas/key-server.ts";
import { isoTime, rfc3339 } from "../../times.ts";

/** The last answer, or failure, of the API server of the operator's node. */
export type Heard =
  /** `at` is the time of the answer, by a clock that never steps. */
  | { readonly kind: "word"; readonly word: ApiServerWord; readonly id?: string; readonly at: number }
  | { readonly kind: "unknown"; readonly why: string };

/** The EncryptionConfiguration on the disk. */
export interface ConfigFile {
  readonly path: string;
  /** The hash as the API server computes it; undefined if the file cannot be read. */
  readonly hash: string | undefined;
  /** When it was edited or replaced, in epoch milliseconds. */
  readonly editedAt: number;
  /** The reason why claviger cannot read it, or why the API server would refuse it. */
  readonly fault?: string;
  /** The reason why the API server would refuse it on a reload, but accept it on a restart. */
  readonly refusedOnReload?: string;
}

export interface ObservedApiServer {
  readonly heard: Heard;
  /** Undefined without encryptionConfig in the configuration. */
  readonly file: ConfigFile | undefined;
  /** When Status was last asked for on any of the node's sockets, in epoch milliseconds. */
  readonly lastStatusAt: number | undefined;
}

export type ApiServerStatus = NonNullable<KeyServerStatus["apiServer"]>;

/** An API server's own report, and the finding about it. */
export interface ApiServerState {
  readonly status: ApiServerStatus;
  /** True if it tried the file that is now on the disk, and dropped it. */
  readonly refused: boolean;
  /** Undefined while it uses the file on the disk. */
  readonly finding: Finding | undefined;
}

const TYPE = "ApiServerInStep";
/** The system's times of files and of a process's start come from different clocks. */
const SLACK_MILLISECONDS = 5_000;

/**
 * Decides which EncryptionConfiguration the node's API server uses, by its own report; without a report
 * nobody knows.
 */
export function decideApiServer(observed: ObservedApiServer): ApiServerState {
  const { heard, file } = observed;
  if (heard.kind === "unknown") return unknown({}, heard.why);
  const said = factsOf(heard);
  const { word } = heard;
  if (word.configHash !== undefined) {
    const known = { ...said, configHash: word.configHash };
    if (file === undefined) {
      const why =
        "the configuration has no encryptionConfig, so that it cannot be compared with the API server's";
      return unknown(known, why);
    }
    return file.hash === word.configHash ? loaded(known) : notLoaded(known, word, file);
  }
  if (word.hasFile) return unknown(said, "its metrics do not name the EncryptionConfiguration that it uses");
  if ((word.minor ?? 0) < FIRST_MINOR_WITH_HASH) {
    const release =
      word.minor === undefined ? "it does not name its release" : `it is Kubernetes 1.${word.minor}`;
    const why = `${release}, and API servers name the EncryptionConfiguration that they use from 1.${FIRST_MINOR_WITH_HASH} on`;
    return unknown(said, why);
  }
  if (asksSince(word, observed.lastStatusAt)) {
    return unknown(
      said,
      "its metrics say that it has no EncryptionConfiguration, and yet it asks claviger for Status",
    );
  }
  return notConfigured(said);
}

function factsOf(heard: Extract<Heard, { kind: "word" }>): Omit<ApiServerStatus, "encryptionConfig"> {
  const { startTime } = heard.word;
  return {
    ...(heard.id !== undefined && { id: heard.id }),
    ...(startTime !== undefined && { startTime: rfc3339(new Date(startTime)) }),
  };
}

const asksSince = ({ startTime }: ApiServerWord, lastStatusAt: number | undefined): boolean =>
  startTime === undefined || (lastStatusAt !== undefined && lastStatusAt > startTime + SLACK_MILLISECONDS);

const loaded = (said: ApiServerStatus): ApiServerState => ({
  status: { ...said, encryptionConfig: "Loaded" },
  refused: false,
  finding: undefined,
});

function notLoaded(said: ApiServerStatus, word: ApiServerWord, file: ConfigFile): ApiServerState {
  const refused = file.hash !== undefined && (word.droppedAt ?? 0) >= file.editedAt;
  const message = refused ? refusedText(file) : notLoadedText(file);
  const reason = refused ? "EncryptionConfigRefused" : "EncryptionConfigNotLoaded";
  return {
    status: { ...said, encryptionConfig: "NotLoaded", message },
    refused,
    finding: { type: TYPE, status: "False", reason, message },
  };
}

const refusedText = ({ path, editedAt, fault, refusedOnReload }: ConfigFile): string =>
  `this node's API server tried ${path} as edited at ${isoTime(editedAt)}, did not load it, and still uses the file before: ` +
  `${fault ?? refusedOnReload ?? "it refuses the file, or a KMS provider in it does not answer"}; mend the file or that provider. ` +
  'Its log has the reason, after "error processing encryption config file". Do not restart it before: with a file that it refuses it does not start';

function notLoadedText({ path, hash, editedAt, fault }: ConfigFile): string {
  const uses = "this node's API server uses another EncryptionConfiguration than";
  if (hash === undefined) return `${uses} ${path}, which cannot be read: ${fault ?? "put it back"}`;
  const edited = `${uses} ${path} as edited at ${isoTime(editedAt)}`;
  if (fault !== undefined)
    return `${edited}: ${fault}; mend the file, and do not restart the API server before: with a file that it refuses it does not start`;
  return `${edited}: with automatic reload it loads the file within about a minute; without automatic reload, restart it. If neither helps, its flag --encryption-provider-config names another file`;
}

function notConfigured(said: ApiServerStatus): ApiServerState {
  const message =
    "this node's API server was started without --encryption-provider-config: it stores everything plain, and cannot read what is stored under claviger. " +
    "Put the flag and its mounts back, as in docs/install/by-hand.md, step 8 (kubeadm upgrade apply rewrites its manifest), and restart it";
  return {
    status: { ...said, encryptionConfig: "NotConfigured", message },
    refused: false,
    finding: { type: TYPE, status: "False", reason: "EncryptionConfigNotConfigured", message },
  };
}

function unknown(said: ApiServerStatus, why: string): ApiServerState {
  const message = `it is not known which EncryptionConfiguration this node's API server uses: ${why}`;
  return {
    status: { ...said, encryptionConfig: "Unknown", message },
    refused: false,
    finding: { type: TYPE, status: "Unknown", reason: "NotCompared", message },
  };
}

/** This machine's properties that distinguish its API server's answer from another's. */
export interface Machine {
  /** Names under which its API server may run. */
  readonly hostnames: readonly string[];
  readonly isOwnAddress: (address: string) => boolean;
}

/**
 * Returns true if an answer comes from this machine's API server, because a load balancer may have asked
 * another. An answer without an identity counts if it came from this machine, and from no older process than
 * before.
 */
export function isOwnWord(
  word: ApiServerWord,
  machine: Machine,
  before: ApiServerWord | undefined,
): string | undefined {
  const { idHash, address, startTime } = word;
  if (idHash !== undefined) {
    const isOwn = machine.hostnames.some((name) => apiServerIdHash(apiServerId(name)) === idHash);
    return isOwn
      ? undefined
      : `the API server that answered does not run on a host named ${machine.hostnames.join(" or ")}: ${LOCAL}`;
  }
  if (address === undefined || !machine.isOwnAddress(address))
    return `the API server that answered, at ${address ?? "an unknown address"}, does not say on which host it runs: ${LOCAL}`;
  if ((startTime ?? 0) < (before?.startTime ?? 0))
    return `the API server that answered was started before this node's was: ${LOCAL}`;
  return undefined;
}

const LOCAL = "let the kubeconfig name this machine's own API server, not a load balancer";

/** Returns the identity in an answer. */
export const idOf = ({ idHash }: ApiServerWord, { hostnames }: Machine): string | undefined =>
  hostnames.map(apiServerId).find((id) => apiServerIdHash(id) === idHash);
