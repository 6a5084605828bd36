import { spawnSync } from "node:child_process";
import { once } from "node:events";
import { chmodSync, chownSync, existsSync, mkdirSync, renameSync, statSync } from "node:fs";
import { connect, createServer } from "node:net";
import { dirname, join } from "node:path";
import { setImmediate as turn } from "node:timers/promises";
import { describe, expect, it, test, vi } from "vitest";
import { LiveKeyring } from "../keyring/live/live-keyring.ts";
import { temporaryFolder } from "../testing/keyring.ts";
import { sealsIn } from "../testing/seals.ts";
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
  // The remaining socket is like that of a killed process: it is found under its first name.
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

describe.skipIf(!isRoot)("a folder in which another user could put a socket of their own is refused:", () => {
  const ALICE = 1_000;
  test.each<{
    readonly what: string;
    readonly group?: number;
    readonly spoil: (folder: string, above: string) => void;
    readonly says: RegExp;
  }>([
    {
      what: "it belongs to another user, and is closed to all others",
      spoil: (folder) => chownSync(folder, ALICE, ALICE),
      says: /socket folder .*run: folder .*run \(mode 0700\) belongs to user 1000, .*; run: chown -h 0 /,
    },
    {
      what: "the folder above it belongs to another user",
      spoil: (_, above) => chownSync(above, ALICE, ALICE),
      says: /folder .*above \(mode 0755\) belongs to user 1000, .*; run: chown -h 0 /,
    },
    {
      what: "all may write the folder above it",
      spoil: (_, above) => chmodSync(above, 0o777),
      says: /folder .*above of user 0 has mode 0777, .*; run: chmod go-w .*above$/,
    },
    {
      what: "the group that may use the socket may write it",
      group: GROUP,
      spoil: (folder) => {
        chownSync(folder, 0, GROUP);
        chmodSync(folder, 0o770);
      },
      says: /socket folder .*run has mode 0770 and is open to others: run chmod 750 /,
    },
  ])("$what", async ({ spoil, says, group }) => {
    using folder = temporaryFolder();
    const above = join(folder.path, "above");
    mkdirSync(join(above, "run"), { recursive: true, mode: 0o755 });
    chmodSync(join(above, "run"), 0o700);
    spoil(join(above, "run"), above);
    const server = socketServer(folder.path, join(above, "run", "secrets.sock"));
    await expect(server.listen(group)).rejects.toThrow(
      expect.objectContaining({ code: "ConfigInvalid", message: expect.stringMatching(says) }),
    );
    expect(existsSync(join(above, "run", "secrets.sock"))).toBe(false);
  });

  test("it comes to belong to another user, who puts a socket there => no socket of ours, and what is connected goes on", async () => {
    using folder = temporaryFolder();
    const run = join(folder.path, "run");
    const path = join(run, "secrets.sock");
    chmodSync(folder.path, 0o711);
    const server = socketServer(folder.path, path);
    await server.listen(undefined);
    const caller = connect(path);
    await once(caller, "data");
    const ended = vi.fn();
    caller.on("close", ended);
    chownSync(run, ALICE, ALICE);
    await server.mend();
    const theirs = `const fs = require("fs"); fs.rmSync(process.argv[1]);
      require("net").createServer().listen(process.argv[1], () => process.kill(process.pid, "SIGKILL"));`;
    spawnSync(process.execPath, ["--eval", theirs, path], { uid: ALICE, gid: ALICE, cwd: "/" });
    expect(statSync(path).uid).toBe(ALICE);
    await expect(server.mend()).rejects.toThrow(/socket folder .* belongs to user 1000/);
    expect(statSync(path).uid).toBe(ALICE);
    expect(ended).not.toHaveBeenCalled();
    chownSync(run, 0, 0);
    await server.mend();
    expect(statSync(path).uid).toBe(0);
    caller.destroy();
    await server.close();
  });

  test("nothing is made in it either", async () => {
    using folder = temporaryFolder();
    chownSync(folder.path, ALICE, ALICE);
    const server = socketServer(folder.path, join(folder.path, "run", "secrets.sock"));
    await expect(server.listen(undefined)).rejects.toThrow("belongs to user 1000");
    expect(existsSync(join(folder.path, "run"))).toBe(false);
  });

  test("but what may only be looked into is served, with its group", async () => {
    using folder = temporaryFolder();
    chmodSync(folder.path, 0o750);
    const path = join(folder.path, "secrets.sock");
    chownSync(folder.path, 0, GROUP);
    const server = socketServer(folder.path, path);
    await server.listen(GROUP);
    await server.close();
  });
});

function socketServer(folder: string, path: string): SocketServer {
  const log = () => undefined;
  const provider = new Provider({
    name: "secrets",
    ref: { key: { namespace: "claviger-system", name: "secrets" } },
    keyring: new LiveKeyring(join(folder, "keyring.db"), sealsIn(join(folder, "root.key"))),
    now: Date.now,
    log,
    onObserved: () => undefined,
  });
  return new SocketServer({ provider, path, log, observe: () => undefined });
}
