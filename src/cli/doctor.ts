import { readConfig } from "../config/config.ts";
import { ClavigerError } from "../errors.ts";
import { objectsText } from "../storage/census/census-tally.ts";
import { type Command, configPathOf, formatOf, OUTPUT, oneOf, parseOptions } from "./command.ts";
import { diagnose } from "./doctor/diagnose.ts";
import { asTable, counted, forPrograms } from "./doctor/report.ts";
import { COLOUR_WHEN, colourOfOutput } from "./terminal/colour.ts";
import { render } from "./terminal/output.ts";
import { printStyled } from "./terminal/print.ts";
import { ProgressLine } from "./terminal/progress.ts";
import { stopSignal } from "./terminal/stop-signal.ts";

export const doctor: Command = {
  summary: "Look at configuration, node, cluster and etcd for what bites or will, and say what to do.",
  usage: "doctor [--config FILE] [-o json|yaml] [--color auto|always|never]",
  async run(args) {
    const options = parseOptions(args, {
      config: { type: "string" },
      color: { type: "string" },
      output: OUTPUT,
    });
    const colour = colourOfOutput(oneOf("--color", options.color, COLOUR_WHEN));
    const format = formatOf(options.output);
    const config = readConfig(configPathOf(options.config));
    // A program may read both streams as one.
    const shows = process.stderr.isTTY || format === undefined;
    const line = shows ? new ProgressLine(process.stderr, { seldom: true }) : undefined;
    const count = (objects: number) =>
      line?.show({ text: `looking at etcd: ${objectsText(objects)} counted` });
    const { gather } = await import("./doctor/gather.ts");
    const observed = await gather(config, stopSignal(), count).finally(() => line?.clear());
    const diagnosis = diagnose(observed, new Date());
    printStyled(
      format ? render(forPrograms(diagnosis), format) : asTable(diagnosis, process.stdout.columns),
      colour,
    );
    if (diagnosis.findings.some(({ severity }) => severity === "error"))
      throw new ClavigerError("NotReady", `doctor found ${counted(diagnosis.findings, "error")}`);
  },
};
