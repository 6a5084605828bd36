import { Agent, type RequestOptions } from "node:https";

/** The options that a connection is made with. A connection made with other values must not be used in its place. */
const IDENTITY = ["ca", "cert", "key", "rejectUnauthorized", "servername"] as const;

/**
 * Returns the agent to use: the former one if nothing has changed, or one that keeps its connections.
 * client-node's agent opens a connection per call; behind a proxy it stays, as it alone knows the way.
 */
export function keepAliveAgent(
  options: RequestOptions,
  previous: RequestOptions | undefined,
): RequestOptions["agent"] {
  if (!(options.agent instanceof Agent) || options.agent.constructor !== Agent) return options.agent;
  // Certificates and keys are read anew each time, so that no two are the same object.
  const isSame = IDENTITY.every((name) => String(previous?.[name]) === String(options[name]));
  if (isSame && previous?.agent instanceof OneIdentityAgent) return previous.agent;
  const identity = IDENTITY.filter((name) => options[name] !== undefined);
  return new OneIdentityAgent({
    keepAlive: true,
    ...Object.fromEntries(identity.map((name) => [name, options[name]])),
  });
}

/**
 * For calls that differ in their address alone. node:https otherwise writes certificates
 * and keys into the name of a connection, of several kilobytes, several times per call.
 */
class OneIdentityAgent extends Agent {
  override getName({ host, port }: RequestOptions = {}): string {
    return `${host}:${port}`;
  }
}
