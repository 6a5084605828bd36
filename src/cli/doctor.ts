import { readConfig } from "../config.ts";
import { ClavigerError } from "../errors.ts";
import { type Command, parseOptions, stopSignal, UsageError } from "./command.ts";
import { diagnose } from "./doctor/diagnose.ts";
import { gather } from "./doctor/gather.ts";
import { asJson, asTable, counted } from "./doctor/report.ts";

export const doctor: Command = {
  summary: "Look at configuration, node, cluster and etcd for what bites or will, and say what to do.",
  usage: "doctor --config FILE [-o json]",
  async run(args) {
    const options = parseOptions(args, {
      config: { type: "string" },
      output: { type: "string", short: "o" },
    });
    if (options.config === undefined) throw new UsageError("--config FILE is needed");
    if (options.output !== undefined && options.output !== "json") throw new UsageError("-o takes json");
    const observed = await gather(readConfig(options.config), stopSignal());
    const diagnosis = diagnose(observed, new Date());
    process.stdout.write(options.output === "json" ? asJson(diagnosis) : asTable(diagnosis));
    if (diagnosis.findings.some(({ severity }) => severity === "error"))
      throw new ClavigerError("NotReady", `doctor found ${counted(diagnosis.findings, "error")}`);
  },
};
