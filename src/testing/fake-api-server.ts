/** A small HTTPS server for tests that answers as an API server does, and misbehaves on request. */
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import type { ServerResponse } from "node:http";
import { createServer, type Server } from "node:https";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { selfSigned } from "./certificate.ts";

export interface Call {
  readonly method: string;
  readonly path: string;
  readonly query: URLSearchParams;
  readonly body: Promise<string>;
  readonly response: ServerResponse;
}

/** Answers one call. Scripted answers are used up in order, and the last is repeated. */
export type Answer = (call: Call) => void;

export class FakeApiServer {
  readonly kubeconfig: string;
  /** A different path for each script. */
  path = "/0";
  readonly lists: URLSearchParams[] = [];
  readonly watches: URLSearchParams[] = [];
  readonly #folder: string;
  readonly #server: Server;
  #onList: readonly Answer[] = [];
  #onWatch: readonly Answer[] = [];
  #onAny: Answer | undefined;

  private constructor(folder: string, server: Server) {
    this.#folder = folder;
    this.#server = server;
    this.kubeconfig = join(folder, "kubeconfig");
    server.on("request", (request, response) => {
      const url = new URL(request.url ?? "", "https://localhost");
      const call = {
        method: request.method ?? "",
        path: url.pathname,
        query: url.searchParams,
        body: text(request),
        response,
      };
      // It is read to its end or cut off, even if nobody waits for it.
      call.body.catch(() => undefined);
      if (this.#onAny !== undefined) return this.#onAny(call);
      // A call of an earlier script may still have been on its way.
      if (url.pathname !== this.path) return void response.destroy();
      const watching = url.searchParams.get("watch") === "true";
      const calls = watching ? this.watches : this.lists;
      calls.push(url.searchParams);
      const script = watching ? this.#onWatch : this.#onList;
      script[Math.min(calls.length, script.length) - 1]?.(call);
    });
  }

  static async start(): Promise<FakeApiServer> {
    const folder = mkdtempSync(join(tmpdir(), "claviger-fake-"));
    const [key, cert] = [join(folder, "key.pem"), join(folder, "cert.pem")];
    selfSigned({ cert, key });
    const server = createServer({ key: readFileSync(key), cert: readFileSync(cert) });
    const fake = new FakeApiServer(folder, server);
    await once(server.listen(0, "127.0.0.1"), "listening");
    const address = server.address();
    const port = typeof address === "object" && address !== null ? address.port : 0;
    writeFileSync(fake.kubeconfig, kubeconfigOf(`https://127.0.0.1:${port}`, readFileSync(cert)));
    return fake;
  }

  /** Writes the kubeconfig of another user, whose token is its name. */
  kubeconfigOf(user: string): string {
    const path = join(this.#folder, `${user}.kubeconfig`);
    writeFileSync(path, readFileSync(this.kubeconfig, "utf8").replace('"a-token"', JSON.stringify(user)));
    return path;
  }

  /** Returns how many connections clients hold open. */
  connections(): Promise<number> {
    return new Promise((resolve, reject) =>
      this.#server.getConnections((error, count) => (error === null ? resolve(count) : reject(error))),
    );
  }

  /** Sets the answers to lists and watches of a new path. */
  script(onList: readonly Answer[], onWatch: readonly Answer[]): void {
    this.path = `/${Number(this.path.slice(1)) + 1}`;
    this.#onList = onList;
    this.#onWatch = onWatch;
    this.lists.length = 0;
    this.watches.length = 0;
  }

  /**
   * Answers every call, whatever its path, instead of a script. If `onAny` does nothing, the call is never
   * answered.
   */
  answer(onAny: Answer): void {
    this.#onAny = onAny;
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections();
    this.#server.close();
    await once(this.#server, "close");
    rmSync(this.#folder, { recursive: true, force: true });
  }
}

function kubeconfigOf(server: string, ca: Buffer): string {
  return JSON.stringify({
    apiVersion: "v1",
    kind: "Config",
    "current-context": "fake",
    clusters: [{ name: "fake", cluster: { server, "certificate-authority-data": ca.toString("base64") } }],
    users: [{ name: "fake", user: { token: "a-token" } }],
    contexts: [{ name: "fake", context: { cluster: "fake", user: "fake" } }],
  });
}

/** Makes an object for a list or an event. */
export const object = (name: string, resourceVersion: number, uid = `uid-of-${name}`) => ({
  metadata: { name, uid, resourceVersion: String(resourceVersion) },
});

export const json =
  (body: unknown, status = 200): Answer =>
  ({ response }) => {
    response.writeHead(status, { "content-type": "application/json" });
    response.end(JSON.stringify(body));
  };

export const list = (resourceVersion: number, items: readonly object[], next?: string): Answer =>
  json({ metadata: { resourceVersion: String(resourceVersion), ...(next && { continue: next }) }, items });

export const failure = (code: number, message: string): Answer =>
  json({ kind: "Status", code, message }, code);

type Line = readonly [type: string, object: object] | string;
/** What happens to a watch after its lines: the server holds it, ends it, or the connection is cut. */
export type Ending = "hold" | "end" | "cut";

export const watch =
  (lines: readonly Line[], ending: Ending = "hold"): Answer =>
  ({ response }) => {
    response.writeHead(200, { "content-type": "application/json" });
    response.flushHeaders();
    const sent = lines.map((line) =>
      typeof line === "string" ? line : `${JSON.stringify({ type: line[0], object: line[1] })}\n`,
    );
    response.write(sent.join(""), () => {
      if (ending === "cut") response.socket?.destroy();
    });
    if (ending === "end") response.end();
  };

export const gone = { kind: "Status", code: 410, message: "too old resource version" };
