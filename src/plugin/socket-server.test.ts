import { once } from "node:events";
import { existsSync } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";
import { setImmediate as turn } from "node:timers/promises";
import { expect, it } from "vitest";
import { LiveKeyring } from "../keyring/live-keyring.ts";
import { temporaryFolder } from "../keyring/testing.ts";
import { SealSource } from "../seal/seal-source.ts";
import { Provider } from "./provider.ts";
import { SocketServer } from "./socket-server.ts";

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
