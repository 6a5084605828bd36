import type { Socket } from "node:net";
import { ConnectionSlots } from "./connection-slots.ts";

/** The open connections of a socket, by the peer name that their calls report. */
export class Connections {
  readonly #slots: ConnectionSlots<Socket>;
  readonly #byName = new Map<string, Socket>();
  #accepted = 0;

  constructor(limit: number) {
    this.#slots = new ConnectionSlots(limit);
  }

  /** Adds a connection. Returns true if another connection was closed for it. */
  admit(connection: Socket): boolean {
    const leastUseful = this.#slots.add(connection);
    leastUseful?.destroy();
    this.#accepted += 1;
    const name = `connection ${this.#accepted}`;
    // A Unix socket has no remote address, so this name tells on which connection a call came.
    Object.defineProperty(connection, "remoteAddress", { value: name });
    this.#byName.set(name, connection);
    connection.once("close", () => {
      this.#slots.remove(connection);
      this.#byName.delete(name);
    });
    return leastUseful !== undefined;
  }

  /** Records that this call was answered. */
  answered(call: { getPeer(): string }): void {
    const connection = this.#byName.get(call.getPeer());
    if (connection !== undefined) this.#slots.answered(connection);
  }

  destroy(): void {
    for (const connection of this.#slots) connection.destroy();
  }
}
