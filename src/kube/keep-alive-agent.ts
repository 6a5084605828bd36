import { Agent, type RequestOptions } from "node:https";

/** The options that a connection is made with. A connection made with other values must not be used in its place. */
const IDENTITY = ["ca", "cert", "key", "rejectUnauthorized", "servername"] as const;

/**
 * Returns the agent to use: the former agent if nothing has changed, or a new agent that keeps its
 * connections. Behind a proxy only client-node's own agent knows how to connect.
 */
export function keepAliveAgent(
  options: RequestOptions,
  previous: RequestOptions | undefined,
): RequestOptions["agent"] {
  const { agent } = options;
  if (agent !== undefined && agent.constructor !== Agent) return agent;
  // Certificates and keys are read again each time, so they are compared by their contents.
  const isSame = IDENTITY.every((name) => String(previous?.[name]) === String(options[name]));
  if (isSame && previous?.agent instanceof OneIdentityAgent) return previous.agent;
  const identity = IDENTITY.filter((name) => options[name] !== undefined);
  return new OneIdentityAgent({
    keepAlive: true,
    ...Object.fromEntries(identity.map((name) => [name, options[name]])),
  });
}

/**
 * An agent for calls that differ only in their address. node:https otherwise computes the name of a
 * connection from its certificates and keys, several kilobytes, several times per call.
 */
class OneIdentityAgent extends Agent {
  override getName({ host, port }: RequestOptions = {}): string {
    return `${host}:${port}`;
  }
}
