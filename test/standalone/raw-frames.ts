import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { eventually } from "../controlplane/wait.ts";

const PREFACE = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
/** Frame types and flags of RFC 9113, section 6. */
const HEADERS = 1;
const SETTINGS = 4;
const PING = 6;
const GOAWAY = 7;
const ACK = 1;
const END_HEADERS = 4;
const FRAME_HEADER_BYTES = 9;

/** An HTTP/2 client that heeds no limit of its server, as it writes its frames itself. */
export class RawFrames {
  readonly #socket: Socket;
  #calls = 0;
  #received: Buffer = Buffer.alloc(0);

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.on("error", () => undefined);
    socket.on("data", (bytes: Buffer) => {
      this.#received = Buffer.concat([this.#received, bytes]);
    });
  }

  /** Connects, and returns when the server has sent its settings, which are acknowledged. */
  static async connect(path: string): Promise<RawFrames> {
    const socket = connect(path);
    const client = new RawFrames(socket);
    await once(socket, "connect");
    socket.write(Buffer.concat([Buffer.from(PREFACE), frame(SETTINGS, 0, 0)]));
    await eventually("the server sends its settings", async () => client.#count(SETTINGS) > 0);
    socket.write(frame(SETTINGS, ACK, 0));
    return client;
  }

  /** Opens calls of `method` that never end, beside those that are open; the server has read them when this returns. */
  async openCalls(method: string, count: number): Promise<void> {
    const headers = requestHeaders(method);
    for (let call = 0; call < count; call += 1) {
      this.#socket.write(frame(HEADERS, END_HEADERS, 2 * this.#calls + 1, headers));
      this.#calls += 1;
    }
    const answers = this.#count(PING);
    this.#socket.write(frame(PING, 0, 0, Buffer.alloc(8)));
    await eventually(
      "the server has read the calls, or hung up",
      async () => this.ended || this.#count(PING) > answers,
    );
  }

  /** True once the server has ended the connection. */
  get ended(): boolean {
    return this.#socket.closed || this.#count(GOAWAY) > 0;
  }

  [Symbol.dispose](): void {
    this.#socket.destroy();
  }

  #count(wanted: number): number {
    return this.#frames().filter(({ type }) => type === wanted).length;
  }

  #frames(): { readonly type: number }[] {
    const frames: { readonly type: number }[] = [];
    let rest = this.#received;
    while (rest.length >= FRAME_HEADER_BYTES) {
      const end = FRAME_HEADER_BYTES + rest.readUIntBE(0, 3);
      if (rest.length < end) break;
      frames.push({ type: rest.readUInt8(3) });
      rest = rest.subarray(end);
    }
    return frames;
  }
}

function frame(type: number, flags: number, stream: number, payload: Buffer = Buffer.alloc(0)): Buffer {
  const header = Buffer.alloc(FRAME_HEADER_BYTES);
  header.writeUIntBE(payload.length, 0, 3);
  header.writeUInt8(type, 3);
  header.writeUInt8(flags, 4);
  header.writeUInt32BE(stream, 5);
  return Buffer.concat([header, payload]);
}

/** Literal fields without Huffman coding (RFC 7541, section 6.2.2; indices of its appendix A). */
function requestHeaders(method: string): Buffer {
  const post = 0x83;
  const http = 0x86;
  return Buffer.concat([
    Buffer.of(post, http),
    Buffer.of(0x04),
    text(method),
    Buffer.of(0x01),
    text("localhost"),
    Buffer.of(0x00),
    text("content-type"),
    text("application/grpc"),
    Buffer.of(0x00),
    text("te"),
    text("trailers"),
  ]);
}

const text = (value: string): Buffer => Buffer.concat([Buffer.of(value.length), Buffer.from(value)]);
