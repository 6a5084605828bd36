import { Agent, request } from "node:https";
import { buffer } from "node:stream/consumers";
import type { ApiServer } from "../test/controlplane/apiserver.ts";

/**
 * A minimal HTTPS client for an API server, the same for every candidate, so that the client itself takes
 * little time.
 */
export class ApiClient {
  readonly #url: string;
  readonly #connections: number;
  readonly #agent: Agent;
  readonly #headers: Readonly<Record<string, string>>;

  private constructor(server: ApiServer, connections: number, ca: string) {
    this.#url = server.url;
    this.#connections = connections;
    this.#agent = new Agent({ keepAlive: true, maxSockets: connections, ca });
    this.#headers = { authorization: `Bearer ${server.token}`, "content-type": "application/json" };
  }

  /** Keeps up to `connections` connections open, once they have been used. */
  static async create(server: ApiServer, connections: number): Promise<ApiClient> {
    return new ApiClient(server, connections, await server.ca());
  }

  /** Makes a call. Resolves with the body. Rejects for any status but 2xx. */
  send(method: string, path: string, body = ""): Promise<Buffer> {
    return new Promise((resolve, reject) => {
      const options = { method, agent: this.#agent, headers: this.#headers };
      const outgoing = request(`${this.#url}${path}`, options, (incoming) => {
        const status = incoming.statusCode ?? 0;
        buffer(incoming).then((content) => {
          if (status >= 200 && status < 300) resolve(content);
          else reject(new Error(`${method} ${path}: ${status} ${content.toString("utf8").slice(0, 500)}`));
        }, reject);
      });
      outgoing.on("error", reject);
      outgoing.end(body);
    });
  }

  /**
   * Makes the calls 0 to count − 1, as many at once as there are connections. Resolves with calls per second.
   */
  async rate(count: number, call: (index: number) => Promise<unknown>): Promise<number> {
    let next = 0;
    const worker = async () => {
      for (let index = next++; index < count; index = next++) await call(index);
    };
    const begun = performance.now();
    await Promise.all(Array.from({ length: this.#connections }, worker));
    return count / ((performance.now() - begun) / 1000);
  }

  close(): void {
    this.#agent.destroy();
  }
}
