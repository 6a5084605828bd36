import { once } from "node:events";
import { type ClientHttp2Session, type ClientHttp2Stream, connect, constants } from "node:http2";
import { connect as connectSocket } from "node:net";

export interface RawAnswer {
  /** grpc-status as text, or undefined if the stream ended without it. */
  readonly status: string | undefined;
  readonly message: string | undefined;
  readonly body: Buffer;
}

export interface RawHeaders {
  readonly authority?: string;
  readonly encoding?: string;
}

/** A gRPC call as bare HTTP/2, whose request is sent when the test wants it. */
export class RawCall {
  readonly #session: ClientHttp2Session;
  readonly #stream: ClientHttp2Stream;
  readonly #answer: Promise<RawAnswer>;
  /** Resolves when the server has announced that it stops taking calls. */
  readonly goaway: Promise<unknown>;

  private constructor(session: ClientHttp2Session, path: string, headers: RawHeaders) {
    this.#session = session;
    session.on("error", () => undefined);
    this.goaway = once(session, "goaway");
    this.goaway.catch(() => undefined);
    this.#stream = session.request({
      [constants.HTTP2_HEADER_METHOD]: "POST",
      [constants.HTTP2_HEADER_PATH]: path,
      ...(headers.authority !== undefined && { [constants.HTTP2_HEADER_AUTHORITY]: headers.authority }),
      ...(headers.encoding !== undefined && { "grpc-encoding": headers.encoding }),
      "content-type": "application/grpc",
      te: "trailers",
    });
    this.#answer = readAnswer(this.#stream);
  }

  /** Sends the request's headers, and returns when the server has acknowledged the connection. */
  static async open(socket: string, path: string, headers: RawHeaders = {}): Promise<RawCall> {
    const session = connect("http://localhost", { createConnection: () => connectSocket(socket) });
    const call = new RawCall(session, path, headers);
    // A ping is answered after the headers before it were read.
    await new Promise<void>((resolve, reject) => {
      session.once("error", reject);
      const sent = () => session.ping((error) => (error === null ? resolve() : reject(error)));
      if (session.connecting) session.once("connect", sent);
      else sent();
    });
    return call;
  }

  /** Sends the message and waits for the answer. */
  finish(message: Buffer, options: { readonly compressed?: boolean } = {}): Promise<RawAnswer> {
    const prefix = Buffer.alloc(5);
    prefix.writeUInt8(options.compressed === true ? 1 : 0, 0);
    prefix.writeUInt32BE(message.length, 1);
    return this.finishBytes(Buffer.concat([prefix, message]));
  }

  /** Sends bytes in place of a length-prefixed message. */
  finishBytes(bytes: Buffer): Promise<RawAnswer> {
    this.#stream.end(bytes);
    return this.#answer;
  }

  /** True if the connection has ended. */
  get closed(): boolean {
    return this.#session.closed;
  }

  [Symbol.dispose](): void {
    this.#session.destroy();
  }
}

function readAnswer(stream: ClientHttp2Stream): Promise<RawAnswer> {
  const chunks: Buffer[] = [];
  let status: string | undefined;
  let message: string | undefined;
  const note = (headers: Readonly<Record<string, unknown>>) => {
    if (headers["grpc-status"] !== undefined) status = String(headers["grpc-status"]);
    if (headers["grpc-message"] !== undefined) message = decodeURIComponent(String(headers["grpc-message"]));
  };
  stream.on("response", note);
  stream.on("trailers", note);
  stream.on("data", (chunk: Buffer) => chunks.push(chunk));
  return new Promise((resolve) => {
    stream.on("error", () => undefined);
    stream.once("close", () => resolve({ status, message, body: Buffer.concat(chunks) }));
  });
}
