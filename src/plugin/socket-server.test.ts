import { once } from "node:events";
import { existsSync, renameSync, statSync } from "node:fs";
import { connect, createServer } from "node:net";
import { dirname, join } from "node:path";
import { setImmediate as turn } from "node:timers/promises";
import { expect, it } from "vitest";
import { LiveKeyring } from "../keyring/live-keyring.ts";
import { temporaryFolder } from "../keyring/testing.ts";
import { SealSource } from "../seal/seal-source.ts";
import { Provider } from "./provider.ts";
import { SocketServer } from "./socket-server.ts";

const isRoot = process.getuid?.() === 0;
/** A group that this process is not in. */
const GROUP = 1234;
/** More turns of the event loop than a broken connection takes to end. */
const TURNS = 12;

it("closes whatever moment of a connection's end it meets", async () => {
  using folder = temporaryFolder();
  for (let turns = 0; turns < TURNS; turns += 1) {
    const path = join(folder.path, `${turns}.sock`);
    const server = socketServer(folder.path, path);
    await server.listen(undefined);
    const caller = connect(path);
    await once(caller, "data");
    caller.on("error", () => undefined);
    caller.write("these are not the words with which HTTP/2 begins");
    for (let done = 0; done < turns; done += 1) await turn();
    await server.close();
    expect(existsSync(path)).toBe(false);
  }
});

it("whose path has another socket by now => leaves it while somebody listens, and then has its own again", async () => {
  using folder = temporaryFolder();
  const path = join(folder.path, "secrets.sock");
  const server = socketServer(folder.path, path);
  await server.listen(undefined);
  await server.mend();
  const foreign = createServer((socket) => socket.destroy()).listen(join(folder.path, "foreign.sock"));
  await once(foreign, "listening");
  renameSync(join(folder.path, "foreign.sock"), path);
  await expect(server.mend()).rejects.toThrow(`another process serves ${path}: stop it first`);
  expect(existsSync(path)).toBe(true);
  // What is left is as that of a killed process: it goes by its first name.
  foreign.close();
  await once(foreign, "close");
  expect(existsSync(path)).toBe(true);
  await Promise.all([server.mend(), server.mend()]);
  const caller = connect(path);
  await once(caller, "data");
  caller.destroy();
  await server.close();
  expect(existsSync(path)).toBe(false);
});

it.skipIf(!isRoot)(
  "gives its socket, and each folder that it makes for it, to the group that may use it",
  async () => {
    using folder = temporaryFolder();
    const path = join(folder.path, "run", "kms", "secrets.sock");
    const server = socketServer(folder.path, path);
    await server.listen(GROUP);
    for (const each of [path, dirname(path), join(folder.path, "run")])
      expect(statSync(each).gid, each).toBe(GROUP);
    await server.close();
  },
);

function socketServer(folder: string, path: string): SocketServer {
  const log = () => undefined;
  const provider = new Provider({
    name: "secrets",
    ref: { key: { namespace: "claviger-system", name: "secrets" } },
    keyring: new LiveKeyring(join(folder, "keyring.db"), new SealSource(join(folder, "root.key"))),
    now: Date.now,
    log,
    onObserved: () => undefined,
  });
  return new SocketServer({ provider, path, log, observe: () => undefined });
}
