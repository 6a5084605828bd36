import { createServer, type Server } from "node:http";
import { ClavigerError, messageOf } from "./errors.ts";

const RETRY_MILLISECONDS = 1_000;
/** How long a scrape in flight has to end at a stop. */
const DRAIN_MILLISECONDS = 1_000;

/** Metrics that are served, or will be as soon as their address can be had. */
export interface MetricsDoor {
  /** Answers what is in flight, within a second, and cuts off what is not through by then. */
  close(): Promise<void>;
}

/**
 * The same for a process that must not end for want of an address: tries again
 * every second until closed. `complain` is called after each try, without an
 * error where it went well.
 */
export function keepServingMetrics(
  address: string,
  render: () => Promise<string>,
  complain: (error: unknown) => void,
): MetricsDoor {
  let door: MetricsDoor | undefined;
  let timer: NodeJS.Timeout | undefined;
  let closed = false;
  const attempt = async (): Promise<void> => {
    try {
      door = await serveMetrics(address, render);
      if (closed) await door.close();
      complain(undefined);
    } catch (error) {
      complain(error);
      if (!closed) timer = setTimeout(() => void attempt(), RETRY_MILLISECONDS);
    }
  };
  void attempt();
  return {
    close: async () => {
      closed = true;
      clearTimeout(timer);
      await door?.close();
    },
  };
}

/**
 * Serves one text at GET /metrics on HOST:PORT until closed.
 * Throws ConfigInvalid where the address cannot be had.
 */
export async function serveMetrics(address: string, render: () => Promise<string>): Promise<MetricsDoor> {
  const split = address.lastIndexOf(":");
  const host = address.slice(0, split).replace(/^\[(.*)\]$/, "$1");
  const port = Number(address.slice(split + 1));
  const server = createServer((request, response) => {
    if (request.method !== "GET" || request.url !== "/metrics") {
      response.writeHead(404).end();
      return;
    }
    render().then(
      (text) =>
        response.writeHead(200, { "content-type": "text/plain; version=0.0.4; charset=utf-8" }).end(text),
      () => response.writeHead(500).end(),
    );
  });
  return new Promise((resolve, reject) => {
    // Once it listens: a connection that cannot be accepted is no reason to end.
    server.on("error", (cause) =>
      reject(
        new ClavigerError("ConfigInvalid", `metrics address ${address}: ${messageOf(cause)}`, { cause }),
      ),
    );
    server.listen(port, host, () => resolve({ close: () => closeServer(server) }));
  });
}

/** A request that was sent by half never ends by itself. */
function closeServer(server: Server): Promise<void> {
  const insist = setTimeout(() => server.closeAllConnections(), DRAIN_MILLISECONDS);
  return new Promise((resolve) =>
    server.close(() => {
      clearTimeout(insist);
      resolve();
    }),
  );
}
