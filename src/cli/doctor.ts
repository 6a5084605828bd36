import { readConfig } from "../config/config.ts";
import { ClavigerError } from "../errors.ts";
import { type Command, reportOptions } from "./command.ts";
import { diagnose } from "./doctor/diagnose.ts";
import { gather } from "./doctor/gather.ts";
import { asJson, asTable, counted } from "./doctor/report.ts";
import { print } from "./terminal/print.ts";
import { stopSignal } from "./terminal/stop-signal.ts";

export const doctor: Command = {
  summary: "Look at configuration, node, cluster and etcd for what bites or will, and say what to do.",
  usage: "doctor --config FILE [-o json]",
  async run(args) {
    const { configPath, json } = reportOptions(args);
    const observed = await gather(readConfig(configPath), stopSignal());
    const diagnosis = diagnose(observed, new Date());
    print(json ? asJson(diagnosis) : asTable(diagnosis));
    if (diagnosis.findings.some(({ severity }) => severity === "error"))
      throw new ClavigerError("NotReady", `doctor found ${counted(diagnosis.findings, "error")}`);
  },
};
