import type { ServerTrust } from "../kube/kubeconfig/server-trust.ts";
import type { CloseMessage } from "../listening-thread.ts";
import type { Site } from "./gather-overview.ts";

/** The parts of the console's settings that may be renewed on the disk. */
export interface Renewable {
  readonly trust: ServerTrust;
  readonly tls?: { readonly cert: string; readonly key: string };
}

/** The settings with which the thread starts. */
export interface ConsoleData extends Renewable {
  readonly site: Site;
  /** The folder of the page's files. */
  readonly page: string;
}

/** A message from the main thread to the console's thread. */
export type ToConsole = { readonly kind: "renewed"; readonly settings: Renewable } | CloseMessage;
