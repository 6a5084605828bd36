import { type Command, oneOf, parseArgument, UsageError } from "./command.ts";
import { type Commands, decideCompletion } from "./completion/complete.ts";
import { lookUp, typedOptions } from "./completion/names.ts";
import { SCRIPTS, SHELLS } from "./completion/scripts.ts";
import { print, printFields } from "./terminal/print.ts";

export const completion: Command = {
  summary: "Print a script with which a shell completes commands, options and names of MasterKeys.",
  usage: "completion bash|zsh|fish",
  async run(args) {
    const { argument } = parseArgument(args, `one of ${SHELLS.join(", ")}`, {});
    const shell = oneOf("completion", argument, SHELLS);
    if (shell === undefined) throw new UsageError("a shell is needed");
    print(SCRIPTS[shell]);
  },
};

/** A name that a shell would have to quote is left out. */
const PLAIN = /^[\w.:@/+-]+$/;

/** Answers `claviger __complete WORD…`, which the scripts and kubectl call. */
export async function printCompletion(words: readonly string[], commands: Commands): Promise<void> {
  const { candidates, names, files } = decideCompletion(words, commands);
  const current = words.at(-1) ?? "";
  const found = names === undefined ? [] : await lookUp(names, typedOptions(words));
  const named = found.filter((name) => PLAIN.test(name) && name.startsWith(current));
  printFields([
    ...candidates.map(({ word, description }) => (description === undefined ? [word] : [word, description])),
    ...named.map((name) => [name]),
    [files === true ? ":0" : ":4"],
  ]);
}
