import type { IncomingHttpHeaders } from "node:http";

/** The files of the page, by path. */
export const PAGE_FILES: ReadonlyMap<string, { readonly file: string; readonly type: string }> = new Map([
  ["/", { file: "index.html", type: "text/html; charset=utf-8" }],
  ["/console.css", { file: "console.css", type: "text/css; charset=utf-8" }],
  ["/console.js", { file: "console.js", type: "text/javascript; charset=utf-8" }],
  ["/render.js", { file: "render.js", type: "text/javascript; charset=utf-8" }],
  ["/icon.svg", { file: "icon.svg", type: "image/svg+xml" }],
]);

/** The answer to a request: a file of the page, the overview for a caller, or a refusal. */
export type Decision =
  | { readonly kind: "file"; readonly path: string }
  | { readonly kind: "overview"; readonly token: string; readonly namespace?: string }
  | { readonly kind: "refusal"; readonly status: 400 | 401 | 404 | 405; readonly message: string };

interface Asked {
  readonly method?: string | undefined;
  readonly url?: string | undefined;
  readonly headers: IncomingHttpHeaders;
}

const OVERVIEW = "/api/overview";
/** RFC 6750, 2.1. Tokens of identity providers have up to some kilobytes. */
const BEARER = /^Bearer ([A-Za-z0-9\-._~+/]{1,8192}={0,2})$/i;
/** A namespace is an RFC 1123 label. */
const NAMESPACE = /^[a-z0-9](?:[-a-z0-9]{0,61}[a-z0-9])?$/;

const refusal = (status: 400 | 401 | 404 | 405, message: string): Decision => ({
  kind: "refusal",
  status,
  message,
});

/** Decides the answer. There is no method that writes, and a token is taken from its header only. */
export function decideRequest({ method, url = "", headers }: Asked): Decision {
  if (method !== "GET" && method !== "HEAD") return refusal(405, "the console only reads: use GET");
  if (headers["content-length"] !== undefined || headers["transfer-encoding"] !== undefined)
    return refusal(400, "a request has no body");
  const [path = "", query = "", ...rest] = url.split("?");
  if (rest.length > 0) return refusal(400, "the address has two queries");
  if (path === OVERVIEW) return overviewFor(headers.authorization, query);
  if (query !== "") return refusal(400, "this page takes no query");
  return PAGE_FILES.has(path) ? { kind: "file", path } : refusal(404, "there is no such page");
}

function overviewFor(authorization: string | undefined, query: string): Decision {
  const [, token] = BEARER.exec(authorization ?? "") ?? [];
  if (token === undefined) return refusal(401, "send a Kubernetes token: Authorization: Bearer TOKEN");
  if (query === "") return { kind: "overview", token };
  const [, namespace = ""] = /^namespace=([^&]*)$/.exec(query) ?? [];
  if (NAMESPACE.test(namespace)) return { kind: "overview", token, namespace };
  return refusal(400, "the query is namespace=NAME, of a namespace of Kubernetes");
}
