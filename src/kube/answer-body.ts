import type { IncomingMessage } from "node:http";

/**
 * Yields an answer's lines, without empty lines. node:readline would hang for ever if the connection broke,
 * because it does not pass on its input's errors.
 */
export async function* linesOf(
  response: IncomingMessage,
  onChunk: (length: number) => void = () => undefined,
  maxLength = Number.POSITIVE_INFINITY,
): AsyncGenerator<string> {
  let rest = "";
  response.setEncoding("utf8");
  for await (const chunk of response) {
    onChunk(String(chunk).length);
    const lines = (rest + String(chunk)).split("\n");
    rest = lines.pop() ?? "";
    if (rest.length > maxLength) throw new Error(`it has a line of more than ${maxLength} characters`);
    for (const line of lines) if (line !== "") yield line;
  }
}

/**
 * Reads a whole answer. Uses events, because for-await over the response costs more than parsing a small
 * answer.
 */
export function readAll(response: IncomingMessage): Promise<string> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    response.on("data", (chunk: Buffer) => chunks.push(chunk));
    response.once("end", () => resolve(Buffer.concat(chunks).toString("utf8")));
    response.once("error", reject);
    // After "end" or "error" this has no effect.
    response.once("close", () => reject(new Error("the connection was closed within the answer")));
  });
}
