import { type ListenConfig, listenOf } from "./listen.ts";
import type { Section } from "./yaml-section.ts";

/** The operator's web page. */
export type ConsoleConfig = ListenConfig;

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
  return listenOf(section, folder, "people send their tokens to it");
}
