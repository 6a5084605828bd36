import type { RequestOptions } from "node:https";
import { KubeConfig } from "@kubernetes/client-node";
import type { Credentials } from "./credentials.ts";

/**
 * Returns the options that the Kubernetes client makes of credentials: an agent for the proxy, a token of the
 * auth-provider.
 */
export async function optionsByClient({ cluster, user }: Credentials): Promise<RequestOptions> {
  const config = new KubeConfig();
  const context = { name: "current", cluster: cluster?.name, user: user?.name };
  config.loadFromOptions({
    clusters: cluster ? [cluster] : [],
    users: user ? [user] : [],
    contexts: [context],
    currentContext: context.name,
  });
  const options: RequestOptions = {};
  await config.applyToHTTPSOptions(options);
  return options;
}
