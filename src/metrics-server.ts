import { createServer, type Server } from "node:http";
import { ClavigerError, messageOf } from "./errors.ts";

const RETRY_MILLISECONDS = 1_000;

/** Metrics that are served, or will be as soon as their address can be had. */
export interface MetricsDoor {
  close(): void;
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
  let server: Server | undefined;
  let timer: NodeJS.Timeout | undefined;
  let closed = false;
  const attempt = async (): Promise<void> => {
    try {
      server = await serveMetrics(address, render);
      if (closed) server.close();
      complain(undefined);
    } catch (error) {
      complain(error);
      if (!closed) timer = setTimeout(() => void attempt(), RETRY_MILLISECONDS);
    }
  };
  void attempt();
  return {
    close: () => {
      closed = true;
      clearTimeout(timer);
      server?.close();
    },
  };
}

/**
 * Serves one text at GET /metrics on HOST:PORT until closed.
 * Throws ConfigInvalid where the address cannot be had.
 */
export async function serveMetrics(address: string, render: () => Promise<string>): Promise<Server> {
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
    server.listen(port, host, () => resolve(server));
  });
}
