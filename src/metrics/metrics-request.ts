/** A request's head has at most this many bytes; Prometheus sends about 300. */
export const MAX_HEAD_BYTES = 8 * 1024;

/** The answer to a request for metrics. `text` asks for the rendered metrics as the body. */
export interface Reply {
  readonly status: 200 | 400 | 404 | 405 | 431 | 500;
  readonly text: boolean;
}

const END_OF_HEAD = "\r\n\r\n";
const PATH = "/metrics";

/**
 * Decides the reply from the bytes that a caller has sent so far; undefined if the head is not complete. Only
 * the request line matters, because no header changes the answer (RFC 9112, 3).
 */
export function decideReply(received: Buffer): Reply | undefined {
  // RFC 9112, 2.2: an empty line before the request line is ignored.
  const text = received.toString("latin1").replace(/^(?:\r\n)+/, "");
  const end = text.indexOf(END_OF_HEAD);
  if (end === -1) return received.length > MAX_HEAD_BYTES ? { status: 431, text: false } : undefined;
  const line = text.slice(0, text.indexOf("\r\n"));
  const [, method = "", target = ""] = /^([A-Z]{1,16}) (\S+) HTTP\/1\.[01]$/.exec(line) ?? [];
  if (method === "") return { status: 400, text: false };
  if (pathOf(target) !== PATH) return { status: 404, text: false };
  if (method === "HEAD") return { status: 200, text: false };
  return method === "GET" ? { status: 200, text: true } : { status: 405, text: false };
}

/** Returns the path of a target in origin form or absolute form (RFC 9112, 3.2). */
function pathOf(target: string): string {
  return target.replace(/^http:\/\/[^/?#]*/i, "").replace(/[?#].*$/, "");
}

const REASONS: Readonly<Record<Reply["status"], string>> = {
  200: "OK",
  400: "Bad Request",
  404: "Not Found",
  405: "Method Not Allowed",
  431: "Request Header Fields Too Large",
  500: "Internal Server Error",
};

/**
 * Renders the head of a response, with the length of its body if that is known. Every response ends its
 * connection.
 */
export function responseHead(status: Reply["status"], bytes: number | undefined): string {
  const lines = [
    `HTTP/1.1 ${status} ${REASONS[status]}`,
    "Content-Type: text/plain; version=0.0.4; charset=utf-8",
    ...(status === 405 ? ["Allow: GET, HEAD"] : []),
    ...(bytes === undefined ? [] : [`Content-Length: ${bytes}`]),
    "Connection: close",
  ];
  return `${lines.join("\r\n")}${END_OF_HEAD}`;
}
