import type { IncomingMessage, ServerResponse } from "node:http";
import { request as httpsRequest, type Server } from "node:https";
import { startServerBefore } from "./server-before.ts";

/** A call that reaches the proxy. */
export interface ProxiedCall {
  readonly method: string;
  /** Without the query. */
  readonly path: string;
  readonly isWatch: boolean;
}

/** A replacement for a call's answer: an answer by the proxy itself, or the real answer after some event. */
export type Fault =
  | { readonly status: number; readonly headers?: Readonly<Record<string, string>> }
  | { readonly heldUntil: Promise<void> };

interface Watch {
  readonly path: string;
  readonly answer: IncomingMessage;
  readonly response: ServerResponse;
}

/** A proxy before an API server, with that server's own certificate. It disturbs calls as a test says. */
export class FaultProxy {
  readonly kubeconfig: string;
  /** Returns the fault of a call, if any. */
  fault: (call: ProxiedCall) => Fault | undefined = () => undefined;
  /** Every call since the last `forget`. */
  calls: ProxiedCall[] = [];
  readonly #server: Server;
  readonly #watches = new Set<Watch>();

  private constructor(server: Server, kubeconfig: string) {
    this.#server = server;
    this.kubeconfig = kubeconfig;
  }

  static async before(kubeconfig: string): Promise<FaultProxy> {
    const { server, path, target, ca } = await startServerBefore(kubeconfig, "faulty");
    const proxy = new FaultProxy(server, path);
    server.on("request", (request: IncomingMessage, response: ServerResponse) => {
      void proxy.#take(request, response, target, ca);
    });
    return proxy;
  }

  forget(): void {
    this.calls = [];
  }

  count(method: string, path: RegExp): number {
    return this.calls.filter((call) => call.method === method && path.test(call.path)).length;
  }

  /** The number of open watches. */
  get watches(): number {
    return this.#watches.size;
  }

  /**
   * From now on, the present watches of these paths receive nothing, not even their end. The connections stay
   * open.
   */
  stallWatches(paths = /./): void {
    for (const watch of this.#watches) {
      if (!paths.test(watch.path)) continue;
      watch.answer.unpipe(watch.response);
      watch.answer.resume();
      this.#watches.delete(watch);
    }
  }

  close(): void {
    this.#server.closeAllConnections();
    this.#server.close();
  }

  async #take(request: IncomingMessage, response: ServerResponse, target: string, ca: Buffer): Promise<void> {
    const { method = "", url = "" } = request;
    const { pathname, searchParams } = new URL(url, target);
    const call = { method, path: pathname, isWatch: searchParams.get("watch") === "true" };
    this.calls.push(call);
    const fault = this.fault(call);
    if (fault !== undefined && "status" in fault) {
      request.resume();
      response.writeHead(fault.status, fault.headers);
      response.end(JSON.stringify({ kind: "Status", code: fault.status, message: "by the proxy" }));
      return;
    }
    if (fault !== undefined) await fault.heldUntil;
    // The client has given up meanwhile.
    if (response.destroyed) return;
    this.#forward(request, response, call, new URL(url, target), ca);
  }

  #forward(
    request: IncomingMessage,
    response: ServerResponse,
    { isWatch, path }: ProxiedCall,
    url: URL,
    ca: Buffer,
  ): void {
    const { method, headers } = request;
    const forwarded = httpsRequest(url, { method, headers, ca }, (answer) => {
      response.writeHead(answer.statusCode ?? 502, answer.headers);
      // A watch begins with an answer that has no bytes yet.
      response.flushHeaders();
      answer.pipe(response);
      answer.once("error", () => response.destroy());
      if (!isWatch) return;
      const watch = { path, answer, response };
      this.#watches.add(watch);
      response.once("close", () => this.#watches.delete(watch));
    });
    forwarded.once("error", () => response.destroy());
    response.once("close", () => forwarded.destroy());
    request.pipe(forwarded);
  }
}
