import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { connect, type Socket } from "node:net";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { startProcess } from "../controlplane/processes.ts";
import { eventually } from "../controlplane/wait.ts";
import { expectServes, prepare } from "./faults.ts";
import { Installation } from "./installation.ts";
import { KmsTestClient } from "./kms.ts";
import { RawCall } from "./raw-call.ts";
import { RawFrames } from "./raw-frames.ts";

const PROGRAM = join(import.meta.dirname, "socket-flood.ts");
/** The same as MAX_CONNECTIONS of socket-server.ts. */
const SLOTS = 64;
/** As MAX_STREAMS of socket-server.ts. */
const STREAMS = 50;
const MEGABYTE = 1024 * 1024;

/** Returns the highest resident memory of a process so far. */
async function peakBytes(pid: number): Promise<number> {
  const [, kilobytes = ""] = /^VmHWM:\s+(\d+) kB$/m.exec(await readFile(`/proc/${pid}/status`, "utf8")) ?? [];
  return Number(kilobytes) * 1024;
}

async function openSilently(path: string): Promise<Socket> {
  const socket = connect(path);
  socket.on("error", () => undefined);
  await once(socket, "connect");
  return socket.resume();
}

describe("a socket that is flooded", () => {
  it("by connections and calls that never end: memory stays below 512 MB, and who calls is answered", async () => {
    await using installation = await Installation.create();
    const prepared = await prepare(installation);
    const plugin = await installation.start("plugin");
    expect(await installation.serving()).toBe(prepared.keyId);
    const log = join(installation.dir, "flood.log");
    const args = [PROGRAM, installation.socket()];
    const flood = await startProcess({
      ...{ name: "socket-flood", binary: process.execPath, args, log, home: installation.dir },
    });
    try {
      await eventually("more connections came than there are slots for", async () => {
        const last = (await readFile(log, "utf8")).trim().split("\n").at(-1) ?? "";
        const [, connections = 0] = /^connections=(\d+) calls=\d{4,}$/.exec(last) ?? [];
        if (Number(connections) < 3 * SLOTS) flood.mustLive();
        return Number(connections) >= 3 * SLOTS;
      });
      for (let round = 0; round < 20; round += 1) await expectServes(installation, prepared);
    } finally {
      await flood.stop();
    }
    expect(await peakBytes(plugin.process.pid)).toBeLessThan(512 * MEGABYTE);
    await expectServes(installation, prepared);
  });

  it("by connections that only hold their slots: neither one that is in use nor a new one is refused", async () => {
    await using installation = await Installation.create();
    const prepared = await prepare(installation);
    await installation.start("plugin");
    await installation.serving();
    const path = installation.socket();
    const used = await RawCall.open(path, "/v2.KeyManagementService/Status");
    expect((await used.finish(Buffer.alloc(0))).status).toBe("0");
    const held: Socket[] = [];
    try {
      for (let count = 0; count < 3 * SLOTS; count += 1) held.push(await openSilently(path));
      await eventually("those that are too many are hung up on", async () =>
        held.slice(0, 2 * SLOTS).every((socket) => socket.closed),
      );
      expect(used.closed).toBe(false);
      await expectServes(installation, prepared);
    } finally {
      for (const socket of held) socket.destroy();
      used[Symbol.dispose]();
    }
  });

  it("by more calls at once than a connection may have: that connection ends, and the API server's goes on", async () => {
    await using installation = await Installation.create();
    const { keyId } = await prepare(installation);
    await installation.start("plugin");
    await installation.serving();
    const path = installation.socket();
    const method = "/v2.KeyManagementService/Encrypt";
    const pending = await RawCall.open(path, "/v2.KeyManagementService/Status");
    using apiServer = new KmsTestClient(path);
    expect((await apiServer.encrypt(randomBytes(32))).key_id).toBe(keyId);
    using hostile = await RawFrames.connect(path);
    await hostile.openCalls(method, STREAMS);
    expect(hostile.ended).toBe(false);
    await hostile.openCalls(method, 1);
    await eventually("the connection with too many calls is ended", async () => hostile.ended);
    expect((await apiServer.encrypt(randomBytes(32))).key_id).toBe(keyId);
    expect(pending.closed).toBe(false);
    expect((await pending.finish(Buffer.alloc(0))).status).toBe("0");
    pending[Symbol.dispose]();
  });

  it("by a thousand calls at once of one caller: all are answered, one after another", async () => {
    await using installation = await Installation.create();
    const { keyId } = await prepare(installation);
    await installation.start("plugin");
    await installation.serving();
    using client = new KmsTestClient(installation.socket());
    const answers = await Promise.all(Array.from({ length: 1_000 }, () => client.encrypt(randomBytes(32))));
    expect(new Set(answers.map(({ key_id }) => key_id))).toEqual(new Set([keyId]));
  });
});
