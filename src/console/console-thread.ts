import { join } from "node:path";
import type { Running } from "../keeper.ts";
import { ListeningThread } from "../listening-thread.ts";
import type { ConsoleData, Renewable, ToConsole } from "./console-messages.ts";

/** How often certificates and the kubeconfig are read again. */
const RENEW_MILLISECONDS = 60_000;
/** Four overviews at once, each of some megabytes of JSON. */
const LIMITS = { maxOldGenerationSizeMb: 192, maxYoungGenerationSizeMb: 8 };
const PAGE = join(import.meta.dirname, "..", "..", "console");

export interface ConsoleThreadOptions {
  readonly address: string;
  readonly site: ConsoleData["site"];
  /** Reads what may be renewed on the disk. Throws ConfigInvalid. */
  readonly read: () => Renewable;
}

/** The worker thread that serves the page. */
export class ConsoleThread implements Running {
  readonly #thread: ListeningThread;
  readonly #read: () => Renewable;
  readonly #renewing: NodeJS.Timeout;
  #settings: string;
  readonly ended: Promise<Error>;

  private constructor(thread: ListeningThread, read: () => Renewable, settings: Renewable) {
    this.#thread = thread;
    this.#read = read;
    this.#settings = JSON.stringify(settings);
    this.ended = thread.ended;
    this.#renewing = setInterval(() => this.#renew(), RENEW_MILLISECONDS);
    this.ended.then(() => clearInterval(this.#renewing));
  }

  /** Throws ConfigInvalid if a file cannot be read or it cannot listen on the address. */
  static async start({ address, site, read }: ConsoleThreadOptions): Promise<ConsoleThread> {
    const settings = read();
    const data: ConsoleData = { ...settings, site, page: PAGE };
    const program = new URL("./console-worker", import.meta.url);
    const thread = await ListeningThread.start({
      name: "console",
      address,
      label: "console address",
      program,
      data,
      limits: LIMITS,
    });
    return new ConsoleThread(thread, read, settings);
  }

  close(): Promise<void> {
    return this.#thread.close();
  }

  /** Keeps the former settings while a file is being replaced. */
  #renew(): void {
    try {
      const settings = this.#read();
      const text = JSON.stringify(settings);
      if (text === this.#settings) return;
      this.#settings = text;
      this.#thread.post({ kind: "renewed", settings } satisfies ToConsole);
    } catch {
      // The next attempt is a minute away.
    }
  }
}
