import { statSync } from "node:fs";
import { type NodeConfig, readConfig } from "../config/config.ts";
import { ClavigerError, messageOf } from "../errors.ts";
import { type Command, configPathOf, OUTPUT, oneOf, parseOptions, UsageError } from "./command.ts";
import { reportManifests } from "./site/manifests-report.ts";
import { lookAtStoredData, type StoredDataLook, unprovenKeys } from "./site/stored-data.ts";
import { accessOf, CLUSTER_OPTIONS, type ClusterOptions, clientOf, namespaceFor } from "./site/target.ts";
import { lookAtCluster } from "./status/gather-cluster.ts";
import { reportApiServer, reportKeys, reportProvider, reportProviders } from "./status/gather-node.ts";
import type { KeyReport, StatusReport } from "./status/report.ts";
import { screen } from "./status/screen.ts";
import { watchScreen } from "./status/watch.ts";
import { wrongIn } from "./status/wrong.ts";
import { COLOUR_WHEN, colourOfOutput } from "./terminal/colour.ts";
import { render } from "./terminal/output.ts";
import { printStyled } from "./terminal/print.ts";
import { stopSignal } from "./terminal/stop-signal.ts";

const FORMATS = ["json", "yaml", "wide"] as const;

const OPTIONS = {
  ...CLUSTER_OPTIONS,
  "all-namespaces": { type: "boolean", short: "A" },
  serving: { type: "boolean" },
  watch: { type: "boolean", short: "w" },
  color: { type: "string" },
  output: OUTPUT,
} as const;

export const status: Command = {
  summary: "Show in one screen which keys are in use, what is encrypted under them, and what is wrong.",
  usage:
    "status [--config FILE [--serving] | -n NAMESPACE | -A] [--context NAME] [--kubeconfig FILE] [-o json|yaml|wide] [--watch] [--color auto|always|never]",
  options: {
    "-o json|yaml|wide": "print for programs, or with ids and paths",
    "-n NAMESPACE": "the keys of a namespace of the cluster, by your own kubeconfig, in place of this node",
    "-A": "the same of all namespaces",
    "--serving": "only ask this node's sockets, for the probe of a pod: prints nothing if they serve",
    "--watch": "show it again when it changes, until Ctrl-C",
  },
  async run(args) {
    const options = parseOptions(args, OPTIONS);
    if (options.serving === true) return mustAnswer(readConfig(configPathOf(options.config)));
    const format = oneOf("-o", options.output, FORMATS);
    const colour = colourOfOutput(oneOf("--color", options.color, COLOUR_WHEN));
    const look = lookOf(options);
    const signal = stopSignal();
    if (options.watch === true)
      return watchScreen(async () => textOf(await look(signal), format), colour, signal);
    const seen = await look(signal);
    printStyled(textOf(seen, format), colour);
    mustBeWell(seen);
  },
};

type Options = ClusterOptions & { readonly "all-namespaces"?: boolean };

/** Returns how to look: at the cluster if an option of kubectl is given, else at this node. */
function lookOf(options: Options): (signal: AbortSignal) => Promise<Seen> {
  const { kubeconfig, context, namespace, "all-namespaces": all } = options;
  const ofCluster = [kubeconfig, context, namespace, all].some((option) => option !== undefined);
  if (!ofCluster) {
    const config = configOfNode(options.config);
    return () => lookAtNode(config);
  }
  if (all === true && namespace !== undefined) throw new UsageError("-n and -A exclude one another");
  const client = clientOf(accessOf(options));
  const wanted = all === true ? undefined : namespaceFor(options);
  return (signal) => lookAtCluster(client, wanted, signal);
}

/** Reads the node's configuration. A person with kubectl only has none, and may want the cluster's status. */
function configOfNode(option: string | undefined): NodeConfig {
  const path = configPathOf(option);
  if (option !== undefined || !isMissing(path)) return readConfig(path);
  throw new ClavigerError(
    "ConfigInvalid",
    `there is no configuration ${path}: name this node's configuration with --config FILE or CLAVIGER_CONFIG, or ask the cluster with -A or -n NAMESPACE`,
  );
}

/** A file that this user may not see is not missing. */
function isMissing(path: string): boolean {
  try {
    statSync(path);
    return false;
  } catch (error) {
    return error instanceof Error && "code" in error && error.code === "ENOENT";
  }
}

interface Seen {
  readonly report: StatusReport;
  readonly wrong: readonly string[];
  readonly stored: StoredDataLook;
  /** The error of reading the keyring or the manifests. A plugin may continue to serve from its memory. */
  readonly fault?: unknown;
}

/** Gathers everything that this node and its API server know. Parts that cannot be read are left out. */
async function lookAtNode(config: NodeConfig): Promise<Seen> {
  const [providers, apiServer, stored] = await Promise.all([
    reportProviders(config),
    reportApiServer(config),
    lookAtStoredData(config),
  ]);
  const { keys, manifests, fault } = lookAtKeyring(config, stored);
  const report: StatusReport = {
    node: config.nodeName,
    providers,
    ...(apiServer && { apiServer }),
    ...(keys && { keys }),
    ...(manifests && { manifests }),
    ...(stored.cluster && { nodes: stored.cluster.nodes }),
    ...(stored.kind === "unknown" && { clusterUnknown: stored.why }),
  };
  const wrong = wrongIn(report, stored.cluster?.keys ?? new Map());
  return {
    report,
    wrong: fault === undefined ? wrong : [...wrong, messageOf(fault)],
    stored,
    ...(fault !== undefined && { fault }),
  };
}

function lookAtKeyring(config: NodeConfig, stored: StoredDataLook) {
  let keys: readonly KeyReport[] | undefined;
  try {
    keys = reportKeys(config).map((key) => withClusterFacts(key, stored));
    return { keys, manifests: reportManifests(config), fault: undefined };
  } catch (fault) {
    return { keys, manifests: undefined, fault };
  }
}

function withClusterFacts(key: KeyReport, stored: StoredDataLook): KeyReport {
  const nextRotation = stored.cluster?.keys.get(key.key)?.nextRotation;
  const more = { ...key, ...(nextRotation !== undefined && { nextRotation }) };
  if (stored.kind === "unknown") return { ...more, storedData: { unknown: stored.why } };
  const storedData = stored.keys.get(key.key);
  return { ...more, ...(storedData && { storedData }) };
}

function textOf({ report, wrong }: Seen, format: (typeof FORMATS)[number] | undefined): string {
  if (format === "json" || format === "yaml") return render({ ...report, wrong }, format);
  const width = process.stdout.columns ?? Number.POSITIVE_INFINITY;
  return screen(report, wrong, { now: Date.now(), width, wide: format === "wide" });
}

/** Throws the first reason why this node is not well. */
function mustBeWell({ report, stored, fault }: Seen): void {
  if (fault !== undefined) throw fault;
  mustServe(report);
  const unproven = unprovenKeys(stored);
  if (unproven.length > 0)
    throw new ClavigerError("NotReady", `stored data is not proven to be under ${unproven.join("; ")}`);
}

/** Throws NotReady if a socket of this node does not serve a key. What the cluster lacks is no fault of the plugin. */
async function mustAnswer({ providers }: NodeConfig): Promise<void> {
  mustServe({ providers: await Promise.all(providers.map(reportProvider)) });
}

/** A plugin that answers is of no use if no API server asks it. */
function mustServe({ providers, apiServer }: Pick<StatusReport, "providers" | "apiServer">): void {
  const failing = providers.filter((provider) => provider.status !== "ok").map((provider) => provider.name);
  if (failing.length > 0) throw new ClavigerError("NotReady", `not serving: ${failing.join(", ")}`);
  if (apiServer?.inStep === false) throw new ClavigerError("NotReady", apiServer.message ?? "");
  const [silent] = providers.filter(({ notAskedSince }) => notAskedSince !== undefined);
  if (silent === undefined) return;
  throw new ClavigerError(
    "NotReady",
    `no API server has asked for the Status of provider ${silent.name} since ${silent.notAskedSince}: is it started with the EncryptionConfiguration that names ${silent.socket}?`,
  );
}
