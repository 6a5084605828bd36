import { type Command, UsageError } from "../command.ts";
import { didYouMean } from "../terminal/nearest.ts";
import { prove } from "./prove.ts";
import { show } from "./show.ts";
import { verify } from "./verify.ts";

const ACTIONS: Readonly<Record<string, (args: readonly string[]) => Promise<void>>> = { verify, prove, show };

export const audit: Command = {
  summary: "Verify the audit log, prove one of its records, or show who used which key.",
  usage:
    "audit verify|prove|show [EVENTID] [--config FILE] [--log FILE] [--key KEY] [--checkpoint FILE] [--proof FILE] [--out FILE] [--principal NAME] [--since TIME] [--until TIME] [--denied] [--event NAME] [-o json|yaml]",
  options: {
    "--log FILE": "the file of the log's newest lines; left out, audit.path of this node's configuration",
    "--key KEY":
      "verify: a signing key of the log that you trust, as an earlier verify has printed it; show: a part of a key's ARN or name",
    "--checkpoint FILE": "verify: checkpoints that you kept elsewhere; the log must continue them",
    "--proof FILE": "verify: a proof that prove has written; needs --key, and no log",
    "--out FILE": "prove: a new file for the proof; left out, it is printed",
    "--principal NAME": "show: a part of the caller's ARN or name",
    "--since TIME": "show: no earlier records; a time like 2026-12-01T00:00:00Z, or 90m, 12h or 7d ago",
    "--until TIME": "show: no later records",
    "--denied": "show: only calls that were denied",
    "--event NAME": "show: only this operation, such as Decrypt",
    "-o json|yaml": "print for programs; show prints a record a line, in JSON",
  },
  async run([action = "", ...args]) {
    const run = Object.hasOwn(ACTIONS, action) ? ACTIONS[action] : undefined;
    if (run !== undefined) return run(args);
    throw new UsageError(`verify, prove or show is needed${didYouMean(action, Object.keys(ACTIONS))}`);
  },
};
