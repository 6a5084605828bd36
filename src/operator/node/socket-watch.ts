import { statSync } from "node:fs";
import { connect as connectHttp2 } from "node:http2";
import { connect } from "node:net";
import { dirname } from "node:path";

/** A provider's socket. */
export interface WatchedSocket {
  readonly name: string;
  readonly socket: string;
}

/** A provider's socket on which no plugin answers, and the system's error code. */
export interface SilentSocket extends WatchedSocket {
  readonly fault: string;
}

/** One look may coincide with a plugin's restart, which takes a fraction of a second. */
const LOOKS = 2;
/**
 * An API server gives its plugin 3 s by default. A slow answer on a loaded machine must not count as a plugin
 * that hangs.
 */
const PATIENCE_MILLISECONDS = 10_000;

/**
 * Checks if a plugin answers on each of this node's sockets. Without a plugin its API server cannot write
 * encrypted resources, and only somebody on this machine can notice that.
 */
export class SocketWatch {
  readonly #sockets: readonly WatchedSocket[];
  readonly #look: (socket: string) => Promise<string | undefined>;
  readonly #faults = new Map<string, { readonly fault: string; readonly times: number }>();
  #looking = false;

  constructor(sockets: readonly WatchedSocket[], look = (socket: string) => faultOf(socket)) {
    this.#sockets = sockets;
    this.#look = look;
  }

  /** The sockets that were silent at the last two looks. */
  get silent(): readonly SilentSocket[] {
    return this.#sockets.flatMap(({ name, socket }) => {
      const { fault, times } = this.#faults.get(socket) ?? { fault: "", times: 0 };
      return times < LOOKS ? [] : [{ name, socket, fault }];
    });
  }

  /**
   * Looks at all sockets, which takes ten seconds at most. Returns true if another set is silent than before.
   * Never rejects.
   */
  async look(): Promise<boolean> {
    // A second look does not start while one is waiting.
    if (this.#looking) return false;
    this.#looking = true;
    const before = textOf(this.silent);
    try {
      await Promise.all(this.#sockets.map(({ socket }) => this.#lookAt(socket)));
    } finally {
      this.#looking = false;
    }
    return textOf(this.silent) !== before;
  }

  async #lookAt(socket: string): Promise<void> {
    const fault = await this.#look(socket);
    if (fault === undefined) this.#faults.delete(socket);
    else this.#faults.set(socket, { fault, times: (this.#faults.get(socket)?.times ?? 0) + 1 });
  }
}

const textOf = (silent: readonly SilentSocket[]): string => silent.map(({ socket }) => socket).join("\n");

/**
 * Sends an HTTP/2 PING (RFC 9113, 6.7) to the listener at `path`, which a plugin answers from the same loop
 * as its calls. Returns undefined if the answer comes, or if it is impossible to tell, as in a container
 * without the folder. Otherwise returns the system's error code: ECONNREFUSED or ENOENT if nobody listens,
 * ECONNRESET if the connection ended, ETIMEDOUT if no answer came, EAGAIN if the queue of connections is
 * full.
 */
export function faultOf(
  path: string,
  patienceMilliseconds = PATIENCE_MILLISECONDS,
): Promise<string | undefined> {
  return new Promise((resolve) => {
    const session = connectHttp2("http://localhost", { createConnection: () => connect(path) });
    const end = (fault: string | undefined) => {
      clearTimeout(timer);
      session.destroy();
      resolve(fault);
    };
    const timer = setTimeout(() => end("ETIMEDOUT"), patienceMilliseconds);
    session.once("connect", () => session.ping((error) => end(error === null ? undefined : "ECONNRESET")));
    session.once("close", () => end("ECONNRESET"));
    session.on("error", (error) => {
      const code = "code" in error ? String(error.code) : "";
      const isSilent = code === "ECONNREFUSED" || code === "EAGAIN" || (code === "ENOENT" && hasFolder(path));
      const isBroken = code === "ECONNRESET" || code === "EPIPE" || code.startsWith("ERR_HTTP2");
      end(isSilent ? code : isBroken ? "ECONNRESET" : undefined);
    });
  });
}

function hasFolder(path: string): boolean {
  try {
    return statSync(dirname(path)).isDirectory();
  } catch {
    return false;
  }
}
