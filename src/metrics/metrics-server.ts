import { type Complain, Keeper } from "../keeper.ts";
import { ListeningThread } from "../listening-thread.ts";
import type { ToWorker } from "./metrics-worker.ts";

/** The text is held outside of the heap, and a caller can make this thread hold little else. */
const LIMITS = { maxOldGenerationSizeMb: 32, maxYoungGenerationSizeMb: 2 };

type Render = () => Promise<string>;

/** A metrics server, or one that will listen as soon as its address is free. */
export interface MetricsDoor {
  /** Answers requests in flight, within a second, and cuts off the rest. */
  close(): Promise<void>;
}

/**
 * Serves metrics for a process that must not end if the address is taken: retries every second until closed.
 */
export function keepServingMetrics(address: string, render: Render, complain: Complain): MetricsDoor {
  return new Keeper(() => startThread(address, render), complain).begin();
}

/**
 * Serves `render` at GET /metrics on HOST:PORT until closed, with at most one rendering a second. Throws
 * ConfigInvalid if it cannot listen on the address.
 */
export async function serveMetrics(
  address: string,
  render: Render,
  complain: Complain,
): Promise<MetricsDoor> {
  const start = () => startThread(address, render);
  return new Keeper(start, complain).keep(await start());
}

/** Starts the thread that listens. It asks this thread for a text, at most once a second. */
const startThread = (address: string, render: Render): Promise<ListeningThread> =>
  ListeningThread.start({
    name: "metrics",
    address,
    label: "metrics address",
    program: new URL("./metrics-worker", import.meta.url),
    limits: LIMITS,
    onMessage: (thread) => void renderFor(thread, render),
  });

/** Never rejects: if the text cannot be rendered, the answer is an error. */
async function renderFor(thread: ListeningThread, render: Render): Promise<void> {
  const body = await render().then(
    (text) => new TextEncoder().encode(text),
    () => undefined,
  );
  thread.post({ kind: "rendered", body } satisfies ToWorker, body === undefined ? [] : [body.buffer]);
}
