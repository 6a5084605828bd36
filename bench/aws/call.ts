import { readFile } from "node:fs/promises";
import { connect } from "node:net";
import { text } from "node:stream/consumers";
import { connect as connectTls } from "node:tls";
import { signedRequest, type Target } from "./signed-request.ts";

type Server = Pick<Target, "address"> & { readonly ca?: string | undefined };

/** Calls an operation on a connection of its own. Rejects if it is refused. */
export async function call(target: Target & Server, operation: string, input: object) {
  const request = (await signedRequest(target, operation, input)).replace("keep-alive", "close");
  const answer = await exchange(target, request);
  const body = answer.slice(answer.indexOf("\r\n\r\n") + 4);
  if (!isOk(answer)) throw new Error(`${operation}: ${answer.slice(0, 500)}`);
  return JSON.parse(body.slice(body.indexOf("{"), body.lastIndexOf("}") + 1));
}

/** Rejects with the reason unless the API is ready. */
export async function mustBeReady(server: Server): Promise<void> {
  const request = `GET /readyz HTTP/1.1\r\nHost: ${server.address}\r\nConnection: close\r\n\r\n`;
  const answer = await exchange(server, request);
  if (!isOk(answer)) throw new Error(`/readyz: ${answer.slice(0, 500)}`);
}

const isOk = (answer: string): boolean => answer.startsWith("HTTP/1.1 200");

async function exchange({ address, ca }: Server, request: string): Promise<string> {
  const [host = "", port = ""] = address.split(":");
  const to = { host, port: Number(port) };
  const socket =
    ca === undefined ? connect(to) : connectTls({ ...to, ca: await readFile(ca), servername: "localhost" });
  socket.write(request);
  return text(socket);
}
