import { randomUUID } from "node:crypto";
import { ClavigerError } from "../errors.ts";
import { nameText } from "../names.ts";
import { type Command, parseArgument } from "./command.ts";
import { followRotation } from "./rotation/follower.ts";
import { rotationObjection, supersededText } from "./rotation/watch.ts";
import { accessOf, CLUSTER_OPTIONS, ClusterMasterKey, nameInCluster } from "./site/target.ts";
import { realPace } from "./terminal/patience.ts";
import { print } from "./terminal/print.ts";
import { ProgressLine } from "./terminal/progress.ts";
import { stopSignal } from "./terminal/stop-signal.ts";

const OPTIONS = {
  ...CLUSTER_OPTIONS,
  wait: { type: "boolean" },
} as const;

export const rotate: Command = {
  summary: "Ask for a new version of a key; --wait follows it until stored data is re-encrypted.",
  usage: "rotate NAMESPACE/NAME [-n NAMESPACE] [--wait] [--context NAME] [--kubeconfig FILE | --config FILE]",
  options: {
    "--wait": "follow the rotation to its end; fails if it does not begin or cannot be finished",
    "--config FILE": "a configuration whose kubeconfig is used; not that of a node, which has no right to it",
  },
  async run(args) {
    const { argument, options } = parseArgument(args, "one NAMESPACE/NAME", OPTIONS);
    const object = nameInCluster(argument, options);
    const name = nameText(object);
    const target = new ClusterMasterKey(accessOf(options), object);
    const key = await target.read();
    const objection = rotationObjection(key);
    if (objection !== undefined)
      throw new ClavigerError("InvalidArgument", `${name} is not rotated: ${objection}`);
    const token = `cli-${randomUUID()}`;
    await target.patch({ rotation: { requestToken: token } });
    const superseded = supersededText(key);
    if (options.wait !== true) {
      print(
        `a rotation of ${name} was asked for; see kubectl get masterkey -w, or use --wait${superseded}\n`,
      );
      return;
    }
    if (superseded !== "") print(`a rotation of ${name} was asked for${superseded}\n`);
    await followRotation({
      name,
      target,
      request: { token, uid: key.metadata.uid },
      tokenBefore: key.spec.rotation?.requestToken,
      line: new ProgressLine(),
      pace: realPace,
      signal: stopSignal(),
    });
  },
};
