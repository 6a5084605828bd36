import { writeFileSync } from "node:fs";
import { proveEvent } from "../../audit/show/prove-event.ts";
import { fieldsOf, parsedJson } from "../../json.ts";
import { formatOf, OUTPUT, parseArgument } from "../command.ts";
import { render } from "../terminal/output.ts";
import { print } from "../terminal/print.ts";
import { LOG_OPTIONS, logPathOf } from "./log-option.ts";

const OPTIONS = { ...LOG_OPTIONS, out: { type: "string" }, output: OUTPUT } as const;

/** Prints or writes the proof that an event is in the log. */
export async function prove(args: readonly string[]): Promise<void> {
  const { argument, options } = parseArgument(args, "the eventID of a record", OPTIONS);
  const format = formatOf(options.output);
  const { index, line, proof } = await proveEvent(logPathOf(options), argument);
  if (options.out !== undefined) {
    writeFileSync(options.out, proof, { flag: "wx", mode: 0o600 });
    return print(`${options.out}: line ${index} of the log, with the proof that it is there\n`);
  }
  const record = fieldsOf(parsedJson(line.toString("utf8")));
  print(format ? render({ index, record, proof }, format) : proof);
}
