import { readFileSync } from "node:fs";
import type { IncomingMessage, ServerResponse } from "node:http";
import { join } from "node:path";
import { messageOf } from "../errors.ts";
import { oneLine } from "../printable.ts";
import { RateLimiter } from "../rate-limiter.ts";
import type { ApiServer } from "./api-server.ts";
import { type Decision, decideRequest, PAGE_FILES } from "./decide-request.ts";
import { gatherOverview, type Site } from "./gather-overview.ts";
import { SECURITY_HEADERS } from "./response-headers.ts";

/** Each overview is up to five questions to the API server. */
const OVERVIEWS = { burst: 20, intervalMilliseconds: 100 };
/** Overviews that are gathered at the same time. */
const MAX_OVERVIEWS = 4;
const OVERVIEW_MILLISECONDS = 10_000;
/** A browser that trusted the certificate once asks for no plain page any more (RFC 6797). */
const STRICT_TRANSPORT = { "Strict-Transport-Security": "max-age=31536000" };

interface ResponderOptions {
  readonly site: Site;
  readonly page: string;
  readonly isEncrypted: boolean;
}

interface Reply {
  readonly status: number;
  readonly type: string;
  readonly body: string | Buffer;
  readonly headers?: Readonly<Record<string, string>>;
}

/** Answers the requests of browsers. */
export class Responder {
  readonly #site: Site;
  readonly #files: ReadonlyMap<string, Reply>;
  readonly #headers: Readonly<Record<string, string>>;
  readonly #overviews = new RateLimiter(OVERVIEWS);
  #running = 0;

  /** Reads the page's files. Throws if one of them is missing. */
  constructor({ site, page, isEncrypted }: ResponderOptions) {
    this.#site = site;
    this.#headers = { ...SECURITY_HEADERS, ...(isEncrypted && STRICT_TRANSPORT) };
    this.#files = new Map(
      [...PAGE_FILES].map(([path, { file, type }]) => [
        path,
        { status: 200, type, body: readFileSync(join(page, file)) },
      ]),
    );
  }

  /** Never rejects. */
  async answer(api: ApiServer, request: IncomingMessage, response: ServerResponse): Promise<void> {
    response.on("error", () => undefined);
    const reply = await this.#reply(api, decideRequest(request), response);
    const body = Buffer.from(reply.body);
    response.writeHead(reply.status, {
      ...this.#headers,
      ...reply.headers,
      "Content-Type": reply.type,
      "Content-Length": body.length,
    });
    response.end(request.method === "HEAD" ? undefined : body);
  }

  async #reply(api: ApiServer, decision: Decision, response: ServerResponse): Promise<Reply> {
    if (decision.kind === "file")
      return this.#files.get(decision.path) ?? failure(404, "there is no such page");
    if (decision.kind === "overview") return this.#overview(api, decision, response);
    const reply = failure(decision.status, decision.message);
    // The rest of the connection may be a body that nobody reads.
    return { ...reply, headers: { ...reply.headers, Connection: "close" } };
  }

  async #overview(
    api: ApiServer,
    { token, namespace }: Extract<Decision, { readonly kind: "overview" }>,
    response: ServerResponse,
  ): Promise<Reply> {
    if (this.#running >= MAX_OVERVIEWS || !this.#overviews.take("all", performance.now()))
      return failure(429, "too many people look at once; the page tries again by itself");
    this.#running += 1;
    const gone = new AbortController();
    response.once("close", () => gone.abort());
    const timer = setTimeout(() => gone.abort(), OVERVIEW_MILLISECONDS);
    try {
      const overview = await gatherOverview(api, this.#site, {
        token,
        signal: gone.signal,
        ...(namespace !== undefined && { namespace }),
      });
      if (overview === undefined) return failure(401, "the API server does not accept this token");
      return { status: 200, type: JSON_TYPE, body: JSON.stringify(overview) };
    } catch (error) {
      return failure(502, oneLine(messageOf(error), 1_000));
    } finally {
      clearTimeout(timer);
      // One of its questions may have failed while the others wait.
      gone.abort();
      this.#running -= 1;
    }
  }
}

const JSON_TYPE = "application/json; charset=utf-8";

const failure = (status: number, message: string): Reply => ({
  status,
  type: JSON_TYPE,
  body: JSON.stringify({ message }),
  headers: {
    ...(status === 401 && { "WWW-Authenticate": 'Bearer realm="claviger"' }),
    ...(status === 405 && { Allow: "GET, HEAD" }),
  },
});
