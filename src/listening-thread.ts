import { extname } from "node:path";
import type { ResourceLimits, Transferable } from "node:worker_threads";
import { Worker } from "node:worker_threads";
import { ClavigerError, messageOf } from "./errors.ts";
import type { Running } from "./keeper.ts";

/** How long an answer in flight may take at a stop. A half-sent request never ends by itself. */
const DRAIN_MILLISECONDS = 1_000;

/** The messages of a thread about its address. */
export type AddressMessage =
  | { readonly kind: "listening" }
  | { readonly kind: "refused"; readonly reason: string };

/** The message that asks a thread to end. */
export interface CloseMessage {
  readonly kind: "close";
}

/** The address that a thread finds in its workerData. */
export interface ThreadAddress {
  readonly host: string;
  readonly port: number;
}

export interface ListeningThreadOptions {
  /** The name of the thread. */
  readonly name: string;
  /** HOST:PORT. */
  readonly address: string;
  /** The words before the address in errors: "metrics address". */
  readonly label: string;
  /** The file that the thread runs, without its extension. */
  readonly program: URL;
  /** The workerData besides the address. */
  readonly data?: object;
  readonly limits: ResourceLimits;
  /** Called with the messages that say nothing about the address. */
  readonly onMessage?: (thread: ListeningThread) => void;
}

/** A worker thread that serves an address. */
export class ListeningThread implements Running {
  readonly #worker: Worker;
  readonly #unusable: (reason: string, cause?: unknown) => ClavigerError;
  readonly ended: Promise<Error>;

  private constructor(options: ListeningThreadOptions) {
    const { label, address } = options;
    this.#worker = startWorker(options);
    this.#unusable = (reason, cause) =>
      new ClavigerError("ConfigInvalid", `${label} ${address}: ${reason}`, { cause });
    this.ended = this.#end();
  }

  /** Throws ConfigInvalid if the thread cannot listen on the address. */
  static async start(options: ListeningThreadOptions): Promise<ListeningThread> {
    const thread = new ListeningThread(options);
    try {
      await thread.#listening(options);
      return thread;
    } catch (error) {
      await thread.#worker.terminate();
      throw error;
    }
  }

  post(message: object, transferred: readonly Transferable[] = []): void {
    this.#worker.postMessage(message, transferred);
  }

  /** Answers requests in flight, within a second, and cuts off the rest. */
  async close(): Promise<void> {
    const insist = setTimeout(() => void this.#worker.terminate(), DRAIN_MILLISECONDS);
    this.post({ kind: "close" } satisfies CloseMessage);
    await this.ended;
    clearTimeout(insist);
  }

  #listening({ onMessage }: ListeningThreadOptions): Promise<void> {
    const started = Promise.withResolvers<void>();
    this.#worker.on("message", (message: AddressMessage | { readonly kind: "other" }) => {
      if (message.kind === "listening") started.resolve();
      else if (message.kind === "refused") started.reject(this.#unusable(message.reason));
      else onMessage?.(this);
    });
    this.ended.then(started.reject);
    return started.promise;
  }

  #end(): Promise<Error> {
    return new Promise((resolve) => {
      this.#worker.once("error", (cause) => resolve(this.#unusable(messageOf(cause), cause)));
      this.#worker.once("exit", () => resolve(this.#unusable("its thread has ended")));
    });
  }
}

function startWorker({ name, address, program, data, limits }: ListeningThreadOptions): Worker {
  const split = address.lastIndexOf(":");
  const place: ThreadAddress = {
    host: address.slice(0, split).replace(/^\[(.*)\]$/, "$1"),
    port: Number(address.slice(split + 1)),
  };
  // The same extension as this file: a source in a checkout, compiled in a package.
  const file = new URL(`${program.href}${extname(import.meta.filename)}`);
  const workerData = { ...data, ...place };
  return new Worker(file, { name, workerData, env: {}, execArgv: [], resourceLimits: limits });
}
