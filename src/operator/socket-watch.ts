import { lstatSync } from "node:fs";
import { connect } from "node:net";
import { dirname } from "node:path";

/** A provider's socket. */
export interface WatchedSocket {
  readonly name: string;
  readonly socket: string;
}

/** A provider's socket on which no plugin listens, and the system's word for why. */
export interface SilentSocket extends WatchedSocket {
  readonly fault: string;
}

/** One look may fall into a plugin's restart, which takes a fraction of a second. */
const LOOKS = 2;

/**
 * Whether a plugin listens on each of this node's sockets. Without one its API server
 * cannot write what it encrypts, and nobody sees that but who asks on the machine.
 */
export class SocketWatch {
  readonly #sockets: readonly WatchedSocket[];
  readonly #look: (socket: string) => Promise<string | undefined>;
  readonly #faults = new Map<string, { readonly fault: string; readonly times: number }>();
  #looking = false;

  constructor(sockets: readonly WatchedSocket[], look = faultOf) {
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

  /** Looks at all of them. Returns whether another set is silent than before. Never rejects. */
  async look(): Promise<boolean> {
    // A look that hangs is not joined by another one.
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
 * The error's code where nobody listens at `path`: ECONNREFUSED or ENOENT. Undefined
 * where somebody does, and where it cannot be told, as in a container without the folder.
 */
export function faultOf(path: string): Promise<string | undefined> {
  return new Promise((resolve) => {
    const probe = connect(path);
    probe.once("connect", () => {
      probe.destroy();
      resolve(undefined);
    });
    probe.once("error", (error) => {
      const code = "code" in error ? String(error.code) : "";
      const nobody = code === "ECONNREFUSED" || (code === "ENOENT" && hasFolder(path));
      resolve(nobody ? code : undefined);
    });
  });
}

function hasFolder(path: string): boolean {
  try {
    return lstatSync(dirname(path)).isDirectory();
  } catch {
    return false;
  }
}
