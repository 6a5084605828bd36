import { ClavigerError } from "../errors.ts";
import { KubeClient, LIKE_KUBECTL } from "../kube/client.ts";
import { printableJson } from "../printable.ts";
import { type Command, isJson, OUTPUT, parseOptions, UsageError } from "./command.ts";
import { decideUninstall, uninstallText } from "./decide-uninstall.ts";
import { lookAtInstallation } from "./site/installation.ts";
import { kubeconfigOf } from "./site/target.ts";
import { print } from "./terminal/print.ts";
import { stopSignal } from "./terminal/stop-signal.ts";

export const uninstall: Command = {
  summary:
    "List the remaining parts of claviger in a cluster, and the commands that come next. It changes nothing.",
  usage: "uninstall --check [--kubeconfig FILE] [-o json]",
  options: {
    "--check": "needed: claviger removes nothing by itself",
  },
  async run(args) {
    const options = parseOptions(args, {
      check: { type: "boolean" },
      kubeconfig: { type: "string" },
      output: OUTPUT,
    });
    if (options.check !== true) throw new UsageError("--check is needed: claviger removes nothing by itself");
    const json = isJson(options.output);
    const client = new KubeClient(kubeconfigOf(options), LIKE_KUBECTL);
    const plan = decideUninstall(await lookAtInstallation(client, stopSignal()), new Date());
    client.close();
    print(json ? `${printableJson(plan, 2)}\n` : uninstallText(plan));
    if (plan.left.length > 0)
      throw new ClavigerError("NotReady", `claviger is not uninstalled: ${plan.left.length} things are left`);
  },
};
