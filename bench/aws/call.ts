import { readFile } from "node:fs/promises";
import { connect } from "node:net";
import { text } from "node:stream/consumers";
import { connect as connectTls } from "node:tls";
import { signedRequest, type Target } from "./signed-request.ts";

/** Calls an operation on a connection of its own. Rejects if it is refused. */
export async function call(
  target: Target & { readonly ca?: string | undefined },
  operation: string,
  input: object,
) {
  const request = (await signedRequest(target, operation, input)).replace("keep-alive", "close");
  const [host = "", port = ""] = target.address.split(":");
  const to = { host, port: Number(port) };
  const socket =
    target.ca === undefined
      ? connect(to)
      : connectTls({ ...to, ca: await readFile(target.ca), servername: "localhost" });
  socket.write(request);
  const answer = await text(socket);
  const body = answer.slice(answer.indexOf("\r\n\r\n") + 4);
  if (!answer.startsWith("HTTP/1.1 200")) throw new Error(`${operation}: ${answer.slice(0, 500)}`);
  return JSON.parse(body.slice(body.indexOf("{"), body.lastIndexOf("}") + 1));
}
