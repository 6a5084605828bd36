import { ClavigerError } from "../errors.ts";
import { type Command, formatOf, OUTPUT, parseOptions, UsageError } from "./command.ts";
import { decideUninstall, uninstallText } from "./site/decide-uninstall.ts";
import { lookAtInstallation } from "./site/installation.ts";
import { accessOf, clientOf } from "./site/target.ts";
import { render } from "./terminal/output.ts";
import { print } from "./terminal/print.ts";
import { stopSignal } from "./terminal/stop-signal.ts";

export const uninstall: Command = {
  summary:
    "List the remaining parts of claviger in a cluster, and the commands that come next. It changes nothing.",
  usage: "uninstall --check [--context NAME] [--kubeconfig FILE] [-o json|yaml]",
  options: {
    "--check": "needed: claviger removes nothing by itself",
  },
  async run(args) {
    const options = parseOptions(args, {
      check: { type: "boolean" },
      kubeconfig: { type: "string" },
      context: { type: "string" },
      output: OUTPUT,
    });
    if (options.check !== true) throw new UsageError("--check is needed: claviger removes nothing by itself");
    const format = formatOf(options.output);
    const client = clientOf(accessOf(options));
    const plan = decideUninstall(await lookAtInstallation(client, stopSignal()), new Date());
    client.close();
    print(format ? render(plan, format) : uninstallText(plan));
    if (plan.left.length > 0)
      throw new ClavigerError("NotReady", `claviger is not uninstalled: ${plan.left.length} things are left`);
  },
};
