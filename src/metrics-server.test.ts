import { once } from "node:events";
import { createServer } from "node:http";
import { type AddressInfo, connect, type Socket } from "node:net";
import { expect, it } from "vitest";
import { keepServingMetrics, type MetricsDoor, serveMetrics } from "./metrics-server.ts";

/** A port of 127.0.0.1 that was free a moment ago: another process may have it by now. */
async function freeAddress(): Promise<string> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, "close");
  return `127.0.0.1:${port}`;
}

/** An open door and where it is. */
async function doorOf(render: () => Promise<string>): Promise<{ address: string; door: MetricsDoor }> {
  for (let attempt = 0; attempt < 20; attempt += 1) {
    const address = await freeAddress();
    try {
      return { address, door: await serveMetrics(address, render) };
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
  // The server has the connection once it has answered a later one.
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
