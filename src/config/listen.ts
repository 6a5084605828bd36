import { resolve } from "node:path";
import type { Section } from "./yaml-section.ts";

/** An address that a process listens on. Paths are absolute. */
export interface ListenConfig {
  /** HOST:PORT. */
  readonly listen: string;
  /** The certificate, with its chain, and its key; present if the address is anything but loopback. */
  readonly tls?: { readonly cert: string; readonly key: string };
}

const ADDRESS = /^(?:[A-Za-z0-9.-]+|\[[0-9A-Fa-f:.]+\]):\d{1,5}$/;
const LOOPBACK = /^(?:127\.\d+\.\d+\.\d+|localhost|\[::1\]):/;
const MAX_PORT = 65_535;

/** Reads `listen` and `tls` of a section. Throws ConfigInvalid, with `why` if other hosts need TLS. */
export function listenOf(section: Section, folder: string, why: string): ListenConfig {
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
  throw section.wrong("listen", `must be on loopback, or have tls: ${why}`);
}
