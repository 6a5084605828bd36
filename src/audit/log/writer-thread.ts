import { parentPort, workerData } from "node:worker_threads";
import { messageOf } from "../../errors.ts";
import { compressClosed } from "./compress-closed.ts";
import { LogWriter, type LogWriterOptions } from "./log-writer.ts";
import type { FromWriter, ToWriter } from "./thread-messages.ts";

// The thread that waits for the disk, so that nobody else does.
const options: LogWriterOptions = workerData;
let writer: LogWriter | undefined;

parentPort?.on("message", (message: ToWriter) => {
  const answer = answerTo(message);
  if (message.kind === "close") {
    parentPort?.close();
    return;
  }
  parentPort?.postMessage(answer);
  // Nobody waits for a checkpoint.
  if (message.kind === "append" && answer.kind === "done") signIfTime(message.now);
});

function answerTo(message: ToWriter): FromWriter {
  try {
    // The folder may be missing at first, and come later.
    writer ??= new LogWriter(options);
    if (message.kind === "append") return { kind: "done", newFile: append(writer, message) };
    writer.checkpoint(message.now, "once");
    if (message.kind === "close") writer.close();
    return { kind: "done" };
  } catch (error) {
    return { kind: "failed", message: messageOf(error) };
  }
}

function append(
  log: LogWriter,
  { lines, now }: Extract<ToWriter, { readonly kind: "append" }>,
): ReturnType<LogWriter["append"]> {
  const { closed } = log;
  const newFile = log.append(lines, now);
  if (log.closed !== closed) void compressClosed(options.path);
  return newFile;
}

/** A failure is that of the next line too, which says it. */
function signIfTime(now: number): void {
  try {
    writer?.checkpoint(now, "time");
  } catch {
    // See above.
  }
}
