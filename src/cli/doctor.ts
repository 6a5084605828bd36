import { readConfig } from "../config/config.ts";
import { ClavigerError } from "../errors.ts";
import { objectsText } from "../storage/census/census-tally.ts";
import { type Command, configPathOf, formatOf, OUTPUT, parseOptions } from "./command.ts";
import { diagnose } from "./doctor/diagnose.ts";
import { gather } from "./doctor/gather.ts";
import { asTable, counted, forPrograms } from "./doctor/report.ts";
import { render } from "./terminal/output.ts";
import { print } from "./terminal/print.ts";
import { ProgressLine } from "./terminal/progress.ts";
import { stopSignal } from "./terminal/stop-signal.ts";

export const doctor: Command = {
  summary: "Look at configuration, node, cluster and etcd for what bites or will, and say what to do.",
  usage: "doctor [--config FILE] [-o json|yaml]",
  async run(args) {
    const options = parseOptions(args, { config: { type: "string" }, output: OUTPUT });
    const format = formatOf(options.output);
    const config = readConfig(configPathOf(options.config));
    const line = process.stderr.isTTY ? new ProgressLine(process.stderr) : undefined;
    const count = (objects: number) =>
      line?.show({ text: `looking at etcd: ${objectsText(objects)} counted` });
    const observed = await gather(config, stopSignal(), count).finally(() => line?.clear());
    const diagnosis = diagnose(observed, new Date());
    print(format ? render(forPrograms(diagnosis), format) : asTable(diagnosis));
    if (diagnosis.findings.some(({ severity }) => severity === "error"))
      throw new ClavigerError("NotReady", `doctor found ${counted(diagnosis.findings, "error")}`);
  },
};
