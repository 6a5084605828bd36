import { resolve } from "node:path";
import type { Section } from "./yaml-section.ts";

/** The operator's web page. Paths are absolute. */
export interface ConsoleConfig {
  /** HOST:PORT. */
  readonly listen: string;
  /** The certificate and key of the page, present if it listens on anything but loopback. */
  readonly tls?: { readonly cert: string; readonly key: string };
}

const ADDRESS = /^(?:[A-Za-z0-9.-]+|\[[0-9A-Fa-f:.]+\]):\d{1,5}$/;
const LOOPBACK = /^(?:127\.\d+\.\d+\.\d+|localhost|\[::1\]):/;
const MAX_PORT = 65_535;

/**
 * Reads the section `console`. Without TLS the page is for loopback only, because people send it their
 * tokens. Throws ConfigInvalid.
 */
export function consoleOf(
  section: Section | undefined,
  folder: string,
  { standalone }: { readonly standalone: boolean },
): ConsoleConfig | undefined {
  if (section === undefined) return undefined;
  if (standalone)
    throw section.wrong("", "goes with kubeconfig: standalone there is no API server that knows a token");
  const listen = section.text("listen", ADDRESS);
  const port = Number(listen.slice(listen.lastIndexOf(":") + 1));
  if (port < 1 || port > MAX_PORT) throw section.wrong("listen", `must have a port from 1 to ${MAX_PORT}`);
  const tls = section.optionalSection("tls");
  if (tls !== undefined)
    return {
      listen,
      tls: { cert: resolve(folder, tls.text("cert")), key: resolve(folder, tls.text("key")) },
    };
  if (LOOPBACK.test(listen)) return { listen };
  throw section.wrong("listen", "must be on loopback, or have tls: people send their tokens to it");
}
