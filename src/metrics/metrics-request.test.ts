import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { decideReply, MAX_HEAD_BYTES, responseHead } from "./metrics-request.ts";

const reply = (text: string) => decideReply(Buffer.from(text, "latin1"));
const request = (line: string, ...headers: readonly string[]): string =>
  `${[line, ...headers].join("\r\n")}\r\n\r\n`;

describe("decideReply", () => {
  it.each([
    { line: "GET /metrics HTTP/1.1", status: 200, text: true },
    { line: "GET /metrics HTTP/1.0", status: 200, text: true },
    { line: "\r\nGET /metrics HTTP/1.1", status: 200, text: true },
    { line: "GET /metrics?collect[]=all HTTP/1.1", status: 200, text: true },
    { line: "GET http://127.0.0.1:9440/metrics HTTP/1.1", status: 200, text: true },
    { line: "HEAD /metrics HTTP/1.1", status: 200, text: false },
    { line: "POST /metrics HTTP/1.1", status: 405, text: false },
    { line: "GET / HTTP/1.1", status: 404, text: false },
    { line: "HEAD /metric HTTP/1.1", status: 404, text: false },
    { line: "GET /metrics/../metrics HTTP/1.1", status: 404, text: false },
    { line: "GET /metrics HTTP/2.0", status: 400, text: false },
    { line: "GET  /metrics HTTP/1.1", status: 400, text: false },
    { line: "PRI * HTTP/2.0", status: 400, text: false },
    { line: "nonsense", status: 400, text: false },
  ])("$line => $status", ({ line, status, text }) => {
    expect(reply(request(line, "host: a"))).toEqual({ status, text });
  });

  it("a request that is not complete has no answer yet", () => {
    const whole = request("GET /metrics HTTP/1.1", "host: a");
    for (let length = 0; length < whole.length; length += 1)
      expect(reply(whole.slice(0, length)), whole.slice(0, length)).toBeUndefined();
  });

  it("headers without an end are refused when they are too many", () => {
    const long = `GET /metrics HTTP/1.1\r\nx: ${"a".repeat(MAX_HEAD_BYTES)}`;
    expect(reply(long)).toEqual({ status: 431, text: false });
    expect(reply(long.slice(0, MAX_HEAD_BYTES))).toBeUndefined();
  });

  it("any bytes are answered, refused or waited for", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: MAX_HEAD_BYTES + 1 }), (bytes) => {
        const decided = decideReply(Buffer.from(bytes));
        expect([undefined, 200, 400, 404, 405, 431]).toContain(decided?.status);
      }),
    );
  });
});

it("a response says that its connection ends, and which methods there are", () => {
  expect(responseHead(405, 0)).toMatch(
    /^HTTP\/1\.1 405 Method Not Allowed\r\n.*\r\nAllow: GET, HEAD\r\nContent-Length: 0\r\nConnection: close\r\n\r\n$/,
  );
});
