import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { decideRequest } from "./decide-request.ts";

const ask = (url: string, headers: Readonly<Record<string, string>> = {}, method = "GET") =>
  decideRequest({ method, url, headers });
const AUTHORIZED = { authorization: "Bearer abc.DEF-_~+/==" };

describe("decideRequest", () => {
  it.each(["/", "/console.css", "/console.js", "/render.js", "/icon.svg"])("%s is a file", (path) => {
    expect(ask(path)).toEqual({ kind: "file", path });
  });

  it.each([
    ["POST", "/"],
    ["PUT", "/api/overview"],
    ["DELETE", "/api/overview"],
    ["PATCH", "/api/overview"],
    ["OPTIONS", "/api/overview"],
    ["CONNECT", "/"],
  ])("%s %s is refused: nothing can be written", (method, url) => {
    expect(ask(url, AUTHORIZED, method)).toMatchObject({ kind: "refusal", status: 405 });
  });

  it.each([
    ["/index.html", 404],
    ["/../package.json", 404],
    ["/console.js/../../etc", 404],
    ["/%2e%2e/root.key", 404],
    ["//", 404],
    ["/?token=abc", 400],
    ["/api/overview?token=abc", 400],
    ["/api/overview?namespace=apps&token=abc", 400],
    ["/api/overview?namespace=Apps", 400],
    ["/api/overview?namespace=a/../../nodes", 400],
    ["/api/overview?namespace=apps?x", 400],
  ])("%s => %i", (url, status) => {
    expect(ask(url, AUTHORIZED)).toMatchObject({ kind: "refusal", status });
  });

  it("a request with a body is refused", () => {
    expect(ask("/", { "content-length": "5" })).toMatchObject({ status: 400 });
    expect(ask("/", { "transfer-encoding": "chunked" })).toMatchObject({ status: 400 });
  });

  it("a token comes in its header, with the namespace that is asked for", () => {
    expect(ask("/api/overview", AUTHORIZED)).toEqual({ kind: "overview", token: "abc.DEF-_~+/==" });
    expect(ask("/api/overview?namespace=apps", AUTHORIZED)).toMatchObject({ namespace: "apps" });
  });

  it.each([
    undefined,
    "",
    "Bearer ",
    "Basic YTpi",
    "Bearer a b",
    "Bearer a\tb",
    `Bearer ${"a".repeat(8193)}`,
  ])("authorization %s is no token", (authorization) => {
    expect(ask("/api/overview", authorization === undefined ? {} : { authorization })).toMatchObject({
      status: 401,
    });
  });

  it("no refusal repeats anything that was sent", () => {
    fc.assert(
      fc.property(fc.string({ minLength: 12 }), fc.string({ minLength: 12 }), (url, authorization) => {
        const decided = ask(url, { authorization });
        if (decided.kind !== "refusal") return;
        expect(decided.message).not.toContain(url);
        expect(decided.message).not.toContain(authorization);
      }),
    );
  });
});
