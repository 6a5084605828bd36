import { oneLine } from "../../../printable.ts";
import { withFindings } from "../../../resources/conditions.ts";
import type { KeyServerStatus } from "../../../resources/schemas/key-server.ts";
import type { ApiServerStatus } from "../decide-api-server.ts";
import { inStep, readiness } from "./key-server-findings.ts";
import { chooseListed, type Listable } from "./listed-versions.ts";
import type { ObservedNode, ProviderStatus } from "./observed-node.ts";
import { describeProvider } from "./provider-status.ts";

/** As many as a KeyServer has room for. Once every node has reported them, they make room for others. */
const listed = (versions: readonly Listable[], now: Date) =>
  chooseListed(versions, now).map(({ name, versionId }) => ({ name, versionId }));

/** Decides the status of this node's KeyServer. */
export function decideKeyServerStatus(observed: ObservedNode, now: Date): KeyServerStatus {
  const providers = observed.providers.map((provider) => describeProvider(provider, observed, now));
  return {
    ...(observed.nodeUid !== undefined && { nodeUid: observed.nodeUid }),
    persistedResourceVersion: observed.persistedResourceVersion,
    versions: observed.versions.length,
    prepared: listed(observed.prepared, now),
    ...(observed.erased !== undefined &&
      observed.erased.length > 0 && {
        erased: listed(observed.erased, now),
      }),
    ...(observed.seal !== undefined && { seal: observed.seal }),
    providers,
    ...(observed.apiServer !== undefined && { apiServer: bounded(observed.apiServer.status) }),
    serving: providers.map(summarize).join(", "),
    conditions: withFindings(
      observed.before?.conditions,
      [readiness(observed), inStep(observed, providers)],
      undefined,
      now,
    ),
  };
}

/** The API server refuses a whole status if a text in it is too long, and it contains texts of others. */
const bounded = ({ message, ...rest }: ApiServerStatus): ApiServerStatus => ({
  ...rest,
  ...(message !== undefined && { message: oneLine(message, 900).slice(0, 1_024) }),
});

const summarize = ({ name, serves, version }: ProviderStatus): string =>
  `${name}: ${version === undefined ? "nothing yet" : `${serves} v${version}`}`;
