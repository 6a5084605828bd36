import { once } from "node:events";
import { createServer } from "node:http";
import { type AddressInfo, connect, type Socket } from "node:net";
import { describe, expect, it } from "vitest";
import { freeAddress } from "../testing/free-address.ts";
import { keepServingMetrics, type MetricsDoor, serveMetrics } from "./metrics-server.ts";

const complain = (error: unknown): never => {
  throw error;
};

/** Opens a metrics server and returns it with its address. */
async function doorOf(render: () => Promise<string>): Promise<{ address: string; door: MetricsDoor }> {
  for (let attempt = 0; attempt < 20; attempt += 1) {
    const address = await freeAddress();
    try {
      return { address, door: await serveMetrics(address, render, complain) };
    } catch (error) {
      expect(String(error)).toContain("EADDRINUSE");
    }
  }
  throw new Error("no address stayed free for long enough");
}

async function halfARequest(address: string): Promise<Socket> {
  const [host = "", port = ""] = address.split(":");
  const socket = connect(Number(port), host);
  socket.on("error", () => undefined);
  await once(socket, "connect");
  await new Promise((resolve) => socket.write("GET /metrics HTTP/1.1\r\nhost: a", resolve));
  return socket;
}

it("a request that was sent by half does not keep a door open that is closed", async () => {
  const { address, door } = await doorOf(async () => "");
  const socket = await halfARequest(address);
  socket.resume();
  // The server has accepted the connection once it has answered a later connection.
  await fetch(`http://${address}/metrics`);
  const hungUp = once(socket, "close");
  await door.close();
  await hungUp;
});

it("a scrape in flight is answered before the door is closed", async () => {
  const asked = Promise.withResolvers<void>();
  const rendered = Promise.withResolvers<string>();
  const { address, door } = await doorOf(() => {
    asked.resolve();
    return rendered.promise;
  });
  const scrape = fetch(`http://${address}/metrics`);
  await asked.promise;
  const closed = door.close();
  rendered.resolve("up 1\n");
  expect(await (await scrape).text()).toBe("up 1\n");
  await closed;
});

it("a door whose address was not to be had yet closes too", async () => {
  const taken = createServer().listen(0, "127.0.0.1");
  await once(taken, "listening");
  const { port } = taken.address() as AddressInfo;
  const complained = Promise.withResolvers<unknown>();
  const door = keepServingMetrics(`127.0.0.1:${port}`, async () => "", complained.resolve);
  expect(await complained.promise).toMatchObject({ code: "ConfigInvalid" });
  await door.close();
  taken.close();
});

/** Sends these bytes and returns everything that the server answers until it hangs up. */
async function exchange(address: string, ...parts: readonly string[]): Promise<string> {
  const [host = "", port = ""] = address.split(":");
  const socket = connect(Number(port), host);
  socket.on("error", () => undefined);
  const chunks: Buffer[] = [];
  socket.on("data", (chunk: Buffer) => chunks.push(chunk));
  await once(socket, "connect");
  for (const part of parts) await new Promise((resolve) => socket.write(part, resolve));
  await once(socket, "close");
  return Buffer.concat(chunks).toString();
}

const GET = "GET /metrics HTTP/1.1\r\nhost: a\r\n\r\n";

describe("an open door", () => {
  it("answers one request of a connection and hangs up, however many are pipelined behind it", async () => {
    let renderings = 0;
    const { address, door } = await doorOf(async () => `up ${++renderings}\n`);
    const answered = await exchange(address, GET.repeat(1_000));
    expect(answered.match(/^HTTP\/1\.1 /gm)).toHaveLength(1);
    expect(answered).toMatch(/^HTTP\/1\.1 200 OK\r\n[\s\S]*Connection: close\r\n\r\nup 1\n$/);
    await door.close();
  });

  it("renders once for all who ask within a second", async () => {
    let renderings = 0;
    const { address, door } = await doorOf(async () => `up ${++renderings}\n`);
    const texts = await Promise.all(
      Array.from({ length: 20 }, async () => (await fetch(`http://${address}/metrics`)).text()),
    );
    expect([...new Set(texts)]).toEqual(["up 1\n"]);
    expect(renderings).toBe(1);
    await door.close();
  });

  it("renders again for who asks later", async () => {
    let renderings = 0;
    const { address, door } = await doorOf(async () => `up ${++renderings}\n`);
    await expect
      .poll(async () => (await fetch(`http://${address}/metrics`)).text(), { timeout: 30_000 })
      .toBe("up 2\n");
    await door.close();
  });

  it("says that a text could not be rendered, and has it as soon as it can be", async () => {
    let broken = true;
    const { address, door } = await doorOf(async () => {
      if (broken) throw new Error("no text");
      return "up 1\n";
    });
    expect((await fetch(`http://${address}/metrics`)).status).toBe(500);
    broken = false;
    await expect
      .poll(async () => (await fetch(`http://${address}/metrics`)).text(), { timeout: 30_000 })
      .toBe("up 1\n");
    await door.close();
  });

  it("answers a caller that ends its half of the connection after the request", async () => {
    const { address, door } = await doorOf(async () => "up 1\n");
    const [host = "", port = ""] = address.split(":");
    const socket = connect({ port: Number(port), host, allowHalfOpen: true });
    socket.end(GET);
    const chunks: Buffer[] = [];
    for await (const chunk of socket) chunks.push(chunk);
    expect(Buffer.concat(chunks).toString()).toMatch(/up 1\n$/);
    await door.close();
  });

  it("takes another connection in the place of the oldest of many that say nothing", async () => {
    const { address, door } = await doorOf(async () => "up 1\n");
    const [host = "", port = ""] = address.split(":");
    const silent = Array.from({ length: 40 }, () => connect(Number(port), host));
    for (const socket of silent) socket.on("error", () => undefined).resume();
    await Promise.all(silent.map((socket) => once(socket, "connect")));
    const [oldest] = silent;
    if (oldest !== undefined && !oldest.closed) await once(oldest, "close");
    expect(await (await fetch(`http://${address}/metrics`)).text()).toBe("up 1\n");
    for (const socket of silent) socket.destroy();
    await door.close();
  });

  it("hangs up on a caller whose request does not come", async () => {
    const { address, door } = await doorOf(async () => "");
    const socket = await halfARequest(address);
    socket.resume();
    await once(socket, "close");
    await door.close();
  });

  it("leaves its address to the next one when it is closed", async () => {
    const { address, door } = await doorOf(async () => "up 1\n");
    await door.close();
    const next = await serveMetrics(address, async () => "up 2\n", complain);
    expect(await (await fetch(`http://${address}/metrics`)).text()).toBe("up 2\n");
    await next.close();
  });
});
