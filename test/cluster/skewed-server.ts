import { once } from "node:events";
import { readFile, writeFile } from "node:fs/promises";
import type { IncomingMessage, ServerResponse } from "node:http";
import { createServer, request as httpsRequest, type Server } from "node:https";
import type { AddressInfo } from "node:net";
import { dirname, join } from "node:path";

interface Kubeconfig {
  readonly clusters: { readonly cluster: { server: string; "certificate-authority-data": string } }[];
}

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
    const config = JSON.parse(await readFile(kubeconfig, "utf8")) as Kubeconfig;
    const cluster = config.clusters[0]?.cluster;
    if (cluster === undefined) throw new Error(`${kubeconfig} names no cluster`);
    const folder = dirname(kubeconfig);
    const [cert, key] = await Promise.all(
      ["apiserver.crt", "apiserver.key"].map((name) => readFile(join(folder, name))),
    );
    if (cert === undefined || key === undefined) throw new Error(`${folder} has no certificate`);
    const ca = Buffer.from(cluster["certificate-authority-data"], "base64");
    const target = cluster.server;
    const server = createServer({ cert, key });
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    cluster.server = `https://127.0.0.1:${(server.address() as AddressInfo).port}`;
    const path = `${kubeconfig}.skewed`;
    await writeFile(path, JSON.stringify(config), { mode: 0o600 });
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
