import { keyRefText } from "../../../names.ts";
import type { Finding } from "../../../resources/conditions.ts";
import type { ObservedNode, ProviderStatus } from "./observed-node.ts";

/**
 * Returns a finding that says if the node's API server uses claviger as its EncryptionConfiguration says. No
 * promotion waits for it.
 */
export function inStep(observed: ObservedNode, providers: readonly ProviderStatus[]): Finding {
  const { apiServer } = observed;
  const type = "ApiServerInStep";
  if (apiServer?.finding?.status === "False") return apiServer.finding;
  const blind = blindness(observed);
  if (blind !== undefined) return { type, status: "Unknown", ...blind };
  const silent = silentProviders(providers);
  if (silent.length > 0) {
    const where = silent.map(
      ({ name, socket, notAskedSince }) => `${name} at ${socket} (since ${notAskedSince})`,
    );
    const message =
      `no API server has asked for the Status of provider ${where.join(", ")}: it is not started with the EncryptionConfiguration that names this socket, or does not run. ` +
      "What is written meanwhile may be stored plain; look at its flag --encryption-provider-config and its log, and whether the plugin's log says that it cannot write observations.json";
    return { type, status: "False", reason: "ApiServerSilent", message };
  }
  if (apiServer === undefined) {
    const message = "standalone there is no API server to ask which EncryptionConfiguration it uses";
    return { type, status: "Unknown", reason: "NotCompared", message };
  }
  const message =
    "the API server says that it uses the EncryptionConfiguration on the disk, and asks for Status";
  return apiServer.finding ?? { type, status: "True", reason: "InStep", message };
}

/**
 * Returns why this report about the API server is only the last that was known. Ready may have a graver
 * reason instead.
 */
const blindness = (observed: ObservedNode) =>
  pluginSilent(observed) ?? observed.problems.find(({ reason }) => reason === "EncryptionConfigInvalid");

/** Nobody asks at a socket that no entry names. */
const silentProviders = (providers: readonly ProviderStatus[]): readonly ProviderStatus[] =>
  providers.filter(({ notAskedSince, entries }) => notAskedSince !== undefined && entries !== 0);

/** The condition Ready. */
export function readiness(observed: ObservedNode): Finding {
  const { problems } = observed;
  // The leader has no other sign that this node cannot serve a version.
  const grave = problems.find(({ reason }) => !ownAffair.has(reason)) ?? problems[0];
  const problem = grave ?? providerWithoutKey(observed) ?? pluginSilent(observed);
  if (problem !== undefined) return { type: "Ready", status: "False", ...problem };
  const message = `all ${observed.versions.length} versions are stored; those that are current or to become so were opened and tested`;
  return { type: "Ready", status: "True", reason: "InStep", message };
}

function providerWithoutKey({ providers, observations }: ObservedNode) {
  const idle = providers.find(({ name }) => !observations.some(({ provider }) => provider === name));
  if (idle === undefined) return undefined;
  return {
    reason: "ProviderWithoutKey",
    message: `provider ${idle.name} serves nothing yet: ${keyRefText(idle.ref)} has no current version, or the plugin is not running`,
  };
}

/** For a plugin that stopped or hangs. */
function pluginSilent({ silent = [] }: ObservedNode) {
  if (silent.length === 0) return undefined;
  const where = silent.map(({ name, socket, fault }) => `${name} at ${socket} (${fault})`).join(", ");
  const message = `no plugin answers for provider ${where}: start it, or restart one that hangs; this node's API server writes for three minutes more what goes through it, and after a restart of its own reads none of it`;
  return { reason: "PluginSilent", message };
}

/** Reasons of a node that is not Ready for which no promotion waits. */
export const ownAffair = new Set([
  "Starting",
  "ProviderWithoutKey",
  "PluginSilent",
  "EncryptionConfigInvalid",
  "UnknownVersion",
  "ObjectUnreadable",
  // The leader asks the clocks itself before anything is destroyed.
  "ClocksDisagree",
  "ClocksNotCompared",
  "DestructionNotDue",
  "TimeNotSeen",
  // Every node has it at once, and without a Lease a node is silent anyway.
  "LeaseRefused",
]);
