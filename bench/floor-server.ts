/**
 * A KMS v2 server without keys: `node bench/floor-server.ts node:http2|grpc-js SOCKET`. No plugin on Node can
 * cost less than it does.
 */
import { createServer as createHttp2Server, type ServerHttp2Stream } from "node:http2";
import { Server, ServerCredentials } from "@grpc/grpc-js";
import { OVERHEAD_BYTES } from "../src/crypto/message.ts";
import {
  type DecryptRequest,
  type EncryptRequest,
  encryptResponse,
  statusResponse,
} from "../src/plugin/kms-messages.ts";
import { kmsService } from "../src/plugin/kms-service.ts";

const keyId = "0".repeat(32);
const status = { version: "v2", healthz: "ok", keyId };
/** As long as a ciphertext of claviger. */
const sealed = (plaintext: Uint8Array) => Buffer.concat([Buffer.alloc(OVERHEAD_BYTES), plaintext]);

const [kind, socket = ""] = process.argv.slice(2);
if (kind === "grpc-js") serveGrpc(socket);
else if (kind === "node:http2") serveHttp2(socket);
else throw new Error(`no floor is called ${kind}`);
process.on("SIGTERM", () => process.exit());

type Call<Request> = { readonly request: Request };
type Reply = (error: null, response: object) => void;

function serveGrpc(path: string): void {
  const server = new Server({ "grpc.enable_channelz": 0 });
  server.addService(kmsService, {
    Status: (_call: unknown, reply: Reply) => reply(null, status),
    Encrypt: ({ request }: Call<EncryptRequest>, reply: Reply) =>
      reply(null, { ciphertext: sealed(request.plaintext), keyId }),
    Decrypt: ({ request }: Call<DecryptRequest>, reply: Reply) =>
      reply(null, { plaintext: request.ciphertext.subarray(OVERHEAD_BYTES) }),
  });
  server.bindAsync(`unix:${path}`, ServerCredentials.createInsecure(), (error) => {
    if (error !== null) throw error;
  });
}

/** Answers Status and Encrypt only, without reading the request. */
function serveHttp2(path: string): void {
  const answers = new Map([
    [kmsService.Status.path, frame(statusResponse.encode(status))],
    [kmsService.Encrypt.path, frame(encryptResponse.encode({ ciphertext: sealed(Buffer.alloc(32)), keyId }))],
  ]);
  const server = createHttp2Server();
  server.on("stream", (stream: ServerHttp2Stream, headers) => {
    stream.resume();
    stream.once("end", () => {
      stream.respond({ ":status": 200, "content-type": "application/grpc" }, { waitForTrailers: true });
      stream.once("wantTrailers", () => stream.sendTrailers({ "grpc-status": "0" }));
      stream.end(answers.get(headers[":path"] ?? ""));
    });
  });
  server.listen(path);
}

/** Frames a gRPC message: not compressed, its length, its bytes. */
function frame(message: Buffer): Buffer {
  const head = Buffer.alloc(5);
  head.writeUInt32BE(message.length, 1);
  return Buffer.concat([head, message]);
}
