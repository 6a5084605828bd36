import { createServer, type Server } from "node:http";
import { ClavigerError, messageOf } from "./errors.ts";

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
    server.once("error", (cause) =>
      reject(
        new ClavigerError("ConfigInvalid", `metrics address ${address}: ${messageOf(cause)}`, { cause }),
      ),
    );
    server.listen(port, host, () => resolve(server));
  });
}
