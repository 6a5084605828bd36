import { once } from "node:events";
import { createServer, type Server } from "node:net";

// Below the range from which Linux (32768…) and macOS (49152…) choose the ports of outgoing connections, so
// that no connection takes a port while its server restarts.
const FIRST = 20_000;
const BLOCK = 20;
const BLOCKS = 500;

/** A block of ports. Its first port is held open, which reserves the others for this process. */
interface Block {
  readonly base: number;
  used: number;
}

let current: Promise<Block> | undefined;

/**
 * Returns a loopback TCP port that nothing listens on, and that this function gives to no other process while
 * this process lives. A port is returned once; a restart may keep it.
 */
export async function freePort(): Promise<number> {
  for (;;) {
    current ??= reserveBlock();
    const reservation = current;
    const block = await reservation;
    block.used += 1;
    const port = block.base + block.used;
    if (block.used < BLOCK) {
      if (await isFree(port)) return port;
    } else if (current === reservation) {
      current = undefined;
    }
  }
}

/** The kernel releases the block when this process ends, even by kill -9, so there are no stale locks. */
async function reserveBlock(): Promise<Block> {
  const start = Math.floor(Math.random() * BLOCKS);
  for (let step = 0; step < BLOCKS; step += 1) {
    const base = FIRST + ((start + step) % BLOCKS) * BLOCK;
    const guard = await listen(base);
    if (guard === undefined) continue;
    guard.unref();
    return { base, used: 0 };
  }
  throw new Error(`no free block of ports from ${FIRST} to ${FIRST + BLOCKS * BLOCK - 1}`);
}

async function isFree(port: number): Promise<boolean> {
  const server = await listen(port);
  if (server === undefined) return false;
  server.close();
  await once(server, "close");
  return true;
}

async function listen(port: number): Promise<Server | undefined> {
  const server = createServer((socket) => socket.destroy());
  server.listen({ host: "127.0.0.1", port, exclusive: true });
  try {
    await once(server, "listening");
    return server;
  } catch {
    return undefined;
  }
}
