import { statSync } from "node:fs";
import { connect as connectHttp2 } from "node:http2";
import { connect } from "node:net";
import { dirname } from "node:path";

/** A provider's socket. */
export interface WatchedSocket {
  readonly name: string;
  readonly socket: string;
}

/** A provider's socket on which no plugin answers, and the system's word for why. */
export interface SilentSocket extends WatchedSocket {
  readonly fault: string;
}

/** One look may fall into a plugin's restart, which takes a fraction of a second. */
const LOOKS = 2;
/** An API server gives its plugin 3 s by default; a machine under load is not to be taken for a plugin that hangs. */
const PATIENCE_MILLISECONDS = 10_000;

/**
 * Whether a plugin answers on each of this node's sockets. Without one its API server
 * cannot write what it encrypts, and nobody sees that but who asks on the machine.
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

  /** Those that were silent at the last two looks. */
  get silent(): readonly SilentSocket[] {
    return this.#sockets.flatMap(({ name, socket }) => {
      const { fault, times } = this.#faults.get(socket) ?? { fault: "", times: 0 };
      return times < LOOKS ? [] : [{ name, socket, fault }];
    });
  }

  /** Looks at all of them, which takes ten seconds at most. Returns whether another set is silent than before. Never rejects. */
  async look(): Promise<boolean> {
    // A look that waits is not joined by another one.
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
 * Asks whoever listens at `path` for the answer to an HTTP/2 PING (RFC 9113, 6.7), which
 * a plugin gives from the same loop as its calls. Undefined where it comes, and where it
 * cannot be told, as in a container without the folder. Otherwise the system's word for
 * what came instead: ECONNREFUSED or ENOENT where nobody listens, ECONNRESET where the
 * connection ended, ETIMEDOUT where nothing came, EAGAIN where more wait already than may.
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
