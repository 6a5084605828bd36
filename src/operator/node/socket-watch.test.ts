import { once } from "node:events";
import { mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { createServer as createHttp2Server } from "node:http2";
import { createServer } from "node:net";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { temporaryFolder } from "../../testing/keyring.ts";
import { faultOf, SocketWatch } from "./socket-watch.ts";

const SOCKETS = [
  { name: "secrets", socket: "/run/secrets.sock" },
  { name: "maps", socket: "/run/maps.sock" },
];

describe("the watch of a node's sockets", () => {
  /** Looks with these faults of secrets.sock, one after another; maps.sock has none. */
  async function watched(...faults: readonly (string | undefined)[]) {
    const left = [...faults];
    const watch = new SocketWatch(SOCKETS, async (path) =>
      path.endsWith("secrets.sock") ? left.shift() : undefined,
    );
    const news: boolean[] = [];
    for (const _ of faults) news.push(await watch.look());
    return { news, silent: watch.silent };
  }

  test("all are listened on => nothing is said", async () => {
    expect(await watched(undefined, undefined)).toEqual({ news: [false, false], silent: [] });
  });
  test("nobody listens for one look, as a plugin is started again => nothing is said", async () => {
    expect(await watched("ECONNREFUSED", undefined, "ENOENT")).toEqual({
      news: [false, false, false],
      silent: [],
    });
  });
  test("nobody listens for two looks => said once, with the provider and the fault of now", async () => {
    expect(await watched("ECONNREFUSED", "ENOENT", "ENOENT")).toEqual({
      news: [false, true, false],
      silent: [{ name: "secrets", socket: "/run/secrets.sock", fault: "ENOENT" }],
    });
  });
  test("somebody listens again => said at the first look", async () => {
    expect(await watched("ENOENT", "ENOENT", undefined)).toEqual({ news: [false, true, true], silent: [] });
  });
});

describe("a look at a socket", () => {
  test("a plugin answers => no fault", async () => {
    using folder = temporaryFolder();
    const path = join(folder.path, "s.sock");
    const server = createHttp2Server().listen(path);
    await once(server, "listening");
    expect(await faultOf(path)).toBeUndefined();
    server.close();
    await once(server, "close");
    expect(await faultOf(path)).toBe("ENOENT");
  });
  test("somebody listens and says nothing, as a plugin that hangs => ETIMEDOUT", async () => {
    using folder = temporaryFolder();
    const path = join(folder.path, "s.sock");
    const server = createServer((connection) => connection.resume()).listen(path);
    await once(server, "listening");
    expect(await faultOf(path, 200)).toBe("ETIMEDOUT");
    server.close();
    await once(server, "close");
  });
  test("somebody listens and hangs up => ECONNRESET", async () => {
    using folder = temporaryFolder();
    const path = join(folder.path, "s.sock");
    const server = createServer((connection) => connection.destroy()).listen(path);
    await once(server, "listening");
    expect(await faultOf(path)).toBe("ECONNRESET");
    server.close();
    await once(server, "close");
  });
  test("somebody listens and speaks another language => ECONNRESET", async () => {
    using folder = temporaryFolder();
    const path = join(folder.path, "s.sock");
    const server = createServer((connection) => connection.resume().write("HTTP/1.1 200 OK\r\n\r\n")).listen(
      path,
    );
    await once(server, "listening");
    expect(await faultOf(path)).toBe("ECONNRESET");
    server.close();
    await once(server, "close");
  });
  test("a file of that name on which nobody listens => ECONNREFUSED", async () => {
    using folder = temporaryFolder();
    const path = join(folder.path, "s.sock");
    writeFileSync(path, "");
    expect(await faultOf(path)).toBe("ECONNREFUSED");
  });
  test("its folder is a link to one => as in that one", async () => {
    using folder = temporaryFolder();
    mkdirSync(join(folder.path, "run"));
    symlinkSync(join(folder.path, "run"), join(folder.path, "link"));
    expect(await faultOf(join(folder.path, "link", "s.sock"))).toBe("ENOENT");
  });
  test("its folder is not here, as in a container of the operator's own => nobody can tell", async () => {
    using folder = temporaryFolder();
    expect(await faultOf(join(folder.path, "elsewhere", "s.sock"))).toBeUndefined();
    mkdirSync(join(folder.path, "here"));
    expect(await faultOf(join(folder.path, "here", "s.sock"))).toBe("ENOENT");
  });
});
