import { servedAlias } from "../../names.ts";
import { differingRootKeys } from "../../operator/nodes/root-keys.ts";
import { recordsOf } from "../../operator/nodes/waiting-nodes.ts";
import { conditionOf, type Finding } from "../../resources/conditions.ts";
import { objectText } from "../../resources/object-text.ts";
import type { KeyServer } from "../../resources/resources.ts";
import type { KeyServerStatus } from "../../resources/schemas/key-server.ts";
import { canonicalScope, scopeText } from "../../storage/scope.ts";
import { NODE_LEASE_SECONDS } from "../../store/nodes/node-leases.ts";
import { rfc3339, timeOf } from "../../times.ts";
import { type Check, check, type Problem, type Severity, when } from "./check.ts";
import type { ClusterResources, Observed } from "./observed.ts";

type Provider = NonNullable<KeyServerStatus["providers"]>[number];

/**
 * Differences between clocks, in seconds: a difference that is reported, and a difference that disturbs (a
 * day's expiry, a Lease).
 */
const SKEW_SECONDS = 5;
const GREAT_SKEW_SECONDS = 60;
/**
 * API servers ask for Status once a minute, and a socket is settled after four minutes: a switch that takes
 * longer hangs.
 */
const SWITCH_MILLISECONDS = 360_000;

/** Checks of the nodes, by their KeyServers and Leases. */
export const clusterChecks: readonly Check[] = [
  check("KeyServerSilent", ["resources", "leases"], ({ resources, leases }, observed, now) =>
    resources.keyServers.flatMap(({ metadata: { name } }) => {
      const lease = leases.find(({ node }) => node === name);
      const heard =
        lease?.writtenAt === undefined ? lease?.renewedAt : lease.writtenAt - serverAhead(observed);
      const seconds = heard === undefined ? undefined : Math.round((now.getTime() - heard) / 1000);
      return when(seconds === undefined || seconds > NODE_LEASE_SECONDS, () => ({
        severity: "error",
        object: `KeyServer ${name}`,
        message:
          seconds === undefined
            ? "its node has no Lease: its operator was not heard of"
            : `its operator has not renewed its Lease for ${seconds} s: no version is promoted until it does`,
        remedy: `start the operator of ${name}; if the node is gone for good, delete ${recordsOf({ name })}`,
      }));
    }),
  ),
  check("KeyServerMissing", ["resources", "leases"], ({ resources, leases }) =>
    leases
      .filter(({ node }) => !resources.keyServers.some(({ metadata: { name } }) => name === node))
      .map(({ node, renewedAt }) => ({
        severity: "error",
        object: `node ${node}`,
        message: `it has a Lease, last renewed at ${rfc3339(new Date(renewedAt))}, and no KeyServer: what its API server uses is not known, so that no version is promoted and nothing counts as re-encrypted`,
        remedy: `start the operator of ${node}, which reports it; if the node is gone for good, delete ${recordsOf({ name: node })}`,
      })),
  ),
  check("KeyServerNotReady", ["resources"], ({ resources: { keyServers } }) =>
    keyServers.flatMap(({ metadata: { name }, status }) => {
      const ready = conditionOf(status?.conditions, "Ready");
      return when(ready?.status !== "True", () => ({
        severity: ready?.reason === "Starting" ? "warning" : "error",
        object: `KeyServer ${name}`,
        message: `it is not Ready (${ready?.reason ?? "not reported yet"}): ${ready?.message ?? "its operator wrote no status"}`,
        remedy: "docs/operations/conditions.md has the reason and what to do",
      }));
    }),
  ),
  check("ApiServerNotInStep", ["resources"], ({ resources: { keyServers } }, observed) =>
    // For this node, the API server's own answer is used instead.
    keyServers
      .filter(({ metadata: { name } }) => name !== observed.config.nodeName || !hasOwnWord(observed))
      .flatMap(({ metadata: { name }, status }) => {
        const found = conditionOf(status?.conditions, "ApiServerInStep");
        return found === undefined ? [] : notInStep(`KeyServer ${name}`, found);
      }),
  ),
  check("OwnApiServerNotInStep", ["apiServer"], ({ apiServer: { finding } }, { config }) =>
    finding === undefined ? [] : notInStep(`the API server of ${config.nodeName}`, finding),
  ),
  check("NotSwitched", ["resources"], ({ resources }, _, now) =>
    resources.keyServers.flatMap((server) =>
      (server.status?.providers ?? []).flatMap((provider) =>
        switchProblems(server, provider, resources, now),
      ),
    ),
  ),
  check("NodesDiffer", ["resources"], ({ resources: { keyServers } }) => {
    const names = new Set(
      keyServers.flatMap(({ status }) => status?.providers?.map(({ name }) => name) ?? []),
    );
    return [...names].flatMap((name) => differences(name, keyServers));
  }),
  check("RootKeysDiffer", ["resources"], ({ resources: { keyServers } }) => {
    const message = differingRootKeys(
      keyServers.map(({ metadata: { name }, status }) => ({
        name,
        ...(status?.seal !== undefined && { rootKeyId: status.seal.rootKeyId }),
      })),
    );
    return when(message !== undefined, () => ({
      severity: "error",
      object: "KeyServers",
      message: message ?? "",
      remedy: "compare kubectl get ks -o wide, and copy the right root key to the odd node",
    }));
  }),
  check("ClockSkew", ["clock"], ({ clock }, { config }) =>
    skewProblems(config.nodeName, -clock.ahead, "compared with the API server"),
  ),
  check("NodeClockSkew", ["leases"], ({ leases }) =>
    leases.flatMap(({ node, renewedAt, writtenAt }) =>
      writtenAt === undefined
        ? []
        : skewProblems(node, renewedAt - writtenAt, "by its Lease, compared with the API server"),
    ),
  ),
];

/** A silence that only the operator reports. */
const hasOwnWord = ({ looks: { apiServer } }: Observed): boolean =>
  apiServer.kind === "seen" && apiServer.value.finding !== undefined;

const notInStep = (object: string, { status, reason, message }: Finding): readonly Problem[] =>
  when(status !== "True", () => ({
    severity: status === "False" ? "error" : "warning",
    object,
    message: `${message} (${reason})`,
    remedy: "docs/operations/conditions.md has the reason and what to do",
  }));

function serverAhead({ looks: { clock } }: Observed): number {
  return clock.kind === "seen" ? clock.value.ahead : 0;
}

function skewProblems(node: string, ahead: number, compared: string): readonly Problem[] {
  const seconds = Math.round(Math.abs(ahead) / 1000);
  return when(seconds >= SKEW_SECONDS, () => ({
    severity: seconds >= GREAT_SKEW_SECONDS ? "error" : "warning",
    object: `node ${node}`,
    message: `its clock is ${seconds} s ${ahead > 0 ? "ahead" : "behind"} (${compared}): rotations and the expiry of imported material go by it`,
    remedy: "let chrony or systemd-timesyncd set the clocks of all nodes",
  }));
}

function switchProblems(
  { metadata: { name: node } }: KeyServer,
  provider: Provider,
  resources: ClusterResources,
  now: Date,
): readonly Problem[] {
  const current = servedKey(provider.serves, resources)?.status?.currentVersion;
  if (current === undefined) return [];
  const object = `provider ${provider.name} on ${node}`;
  if (provider.kmsKeyId !== current.kmsKeyId) {
    return [
      {
        severity: severityAfter(current.promotedAt, now),
        object,
        message: `it serves key_id ${provider.kmsKeyId ?? "(none)"}, and ${provider.serves} has been at ${current.kmsKeyId} since ${current.promotedAt}`,
        remedy: "wait a few seconds; if it persists, see the logs of that node's operator and plugin",
      },
    ];
  }
  const { encrypts = 0, entries = 0, settled = false, servingSince = current.promotedAt } = provider;
  return when(encrypts < entries && !settled, () => ({
    severity: severityAfter(servingSince, now),
    object,
    message: `since ${servingSince} its API server has sent an Encrypt under key_id ${current.kmsKeyId} for ${encrypts} of the ${entries} kms entries with this socket: through the others it may still write under an older key_id`,
    remedy: "API servers ask once a minute; if it stays, see that API server's log and its kms entry",
  }));
}

const severityAfter = (since: string, now: Date): Severity =>
  now.getTime() - timeOf(since) > SWITCH_MILLISECONDS ? "error" : "warning";

/** Returns the MasterKey behind a KeyServer's `serves`, which is NAMESPACE/NAME or "alias NAMESPACE/NAME". */
export function servedKey(serves: string, { masterKeys, keyAliases }: ClusterResources) {
  const alias = keyAliases.find((candidate) => servedAlias(objectText(candidate)) === serves);
  const key = alias === undefined ? serves : `${alias.metadata.namespace}/${alias.status?.masterKey}`;
  return masterKeys.find((candidate) => objectText(candidate) === key);
}

function differences(name: string, keyServers: readonly KeyServer[]): readonly Problem[] {
  const nodes = keyServers.flatMap(({ metadata, status }) =>
    (status?.providers ?? [])
      .filter((provider) => provider.name === name)
      .map((provider) => ({ node: metadata.name, provider })),
  );
  const said = (text: (provider: Provider) => string | undefined) =>
    nodes.flatMap(({ node, provider }) => {
      const value = text(provider);
      return value === undefined ? [] : [{ node, value }];
    });
  const compare = (what: string, values: ReturnType<typeof said>, shown: ReturnType<typeof said>) =>
    when(new Set(values.map(({ value }) => value)).size > 1, () => ({
      severity: "error",
      object: `provider ${name}`,
      message: `${what} (${shown.map(({ node, value }) => `${node}: ${value}`).join("; ")})`,
      remedy: "give every node the same files: what one API server writes, the others must read",
    }));
  const serves = said((provider) => provider.serves);
  return [
    ...compare("the nodes serve different keys under one name", serves, serves),
    ...compare(
      "the nodes' EncryptionConfigurations put different resources on it",
      said(({ resources }) => resources && JSON.stringify(canonicalScope(resources))),
      said(({ resources }) => resources && (scopeText(resources) || "nothing")),
    ),
  ];
}
