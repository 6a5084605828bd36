import type { IncomingMessage, ServerResponse } from "node:http";
import { request as httpsRequest, type Server } from "node:https";
import { startServerBefore } from "./server-before.ts";

/**
 * An API server on a machine whose clock is wrong: a proxy before the real API server that changes the Date
 * of its answers, and nothing else.
 */
export class SkewedServer {
  /** How many seconds the API server's clock is ahead. */
  seconds = 0;
  readonly kubeconfig: string;
  readonly #server: Server;

  private constructor(server: Server, kubeconfig: string) {
    this.#server = server;
    this.kubeconfig = kubeconfig;
  }

  /** Starts a proxy before the API server of this kubeconfig, with that server's own certificate. */
  static async before(kubeconfig: string): Promise<SkewedServer> {
    const { server, path, target, ca } = await startServerBefore(kubeconfig, "skewed");
    const skewed = new SkewedServer(server, path);
    server.on("request", (request: IncomingMessage, response: ServerResponse) =>
      skewed.#forward(request, response, target, ca),
    );
    return skewed;
  }

  close(): void {
    this.#server.closeAllConnections();
    this.#server.close();
  }

  #forward(request: IncomingMessage, response: ServerResponse, target: string, ca: Buffer): void {
    const { method, headers, url = "" } = request;
    const forwarded = httpsRequest(new URL(url, target), { method, headers, ca }, (answer) => {
      const date = new Date(Date.parse(answer.headers.date ?? "") + this.seconds * 1000).toUTCString();
      response.writeHead(answer.statusCode ?? 502, { ...answer.headers, date });
      // A watch begins with an answer that has no bytes yet.
      response.flushHeaders();
      answer.pipe(response);
      answer.once("error", () => response.destroy());
    });
    forwarded.once("error", () => response.destroy());
    response.once("close", () => forwarded.destroy());
    request.pipe(forwarded);
  }
}
