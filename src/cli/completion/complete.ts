import type { Command } from "../command.ts";
import { optionsIn, optionText } from "../terminal/help.ts";

/** The names that are looked up when a word is completed. */
export type Names = "masterkeys" | "namespaces" | "contexts" | "providers" | "operations";

export interface Candidate {
  readonly word: string;
  readonly description?: string;
}

/** The possible continuations of a command line. */
export interface Completion {
  readonly candidates: readonly Candidate[];
  /** Names from the cluster or the configuration, which are candidates too. */
  readonly names?: Names;
  /** True if a file is wanted. */
  readonly files?: boolean;
}

type Described = Pick<Command, "summary" | "usage" | "options">;
export type Commands = Readonly<Record<string, Described>>;

const NOTHING: Completion = { candidates: [] };

/** Decides how a command line may continue. The last of the words is the unfinished one; it may be "". */
export function decideCompletion(words: readonly string[], commands: Commands): Completion {
  const current = words.at(-1) ?? "";
  if (words.length <= 1) return beginningWith(current, commandNames(commands));
  const [name = "", ...rest] = words;
  if (name === "help") return words.length === 2 ? beginningWith(current, commandNames(commands)) : NOTHING;
  const command = Object.hasOwn(commands, name) ? commands[name] : undefined;
  if (command === undefined) return NOTHING;
  const before = rest.at(-2);
  const value = before?.startsWith("-") === true ? valueName(before, command.usage) : undefined;
  if (value !== undefined) return valueCompletion(before ?? "", value, current);
  if (current.startsWith("-")) return beginningWith(current, optionCandidates(command));
  if (name === "access") return accessCompletion(argumentsIn(rest, command.usage), command.usage, current);
  return argumentCompletion(command.usage, current);
}

/** Returns how many arguments stand before the unfinished word, beside options and their values. */
function argumentsIn(rest: readonly string[], usage: string): number {
  const takesValue = (word: string) => word.startsWith("-") && valueName(word, usage) !== undefined;
  return rest.slice(0, -1).filter((word, at) => !word.startsWith("-") && !takesValue(rest[at - 1] ?? ""))
    .length;
}

/** The arguments of `access` are a mode, a key and an operation. */
function accessCompletion(before: number, usage: string, current: string): Completion {
  const [, modes = ""] = /^access (\S+)/.exec(usage) ?? [];
  const candidates = modes.split("|").map((word) => ({ word }));
  if (before === 0) return beginningWith(current, candidates);
  if (before === 1) return { candidates: [], names: "masterkeys" };
  return before === 2 ? { candidates: [], names: "operations" } : NOTHING;
}

const commandNames = (commands: Commands): Candidate[] =>
  Object.entries(commands)
    .map(([word, { summary }]): Candidate => (summary === "" ? { word } : { word, description: summary }))
    .concat({ word: "help", description: "Say what the options of a command are for." });

const beginningWith = (current: string, candidates: readonly Candidate[]): Completion => ({
  candidates: candidates.filter(({ word }) => word.startsWith(current)),
});

const optionCandidates = (command: Described): Candidate[] =>
  optionsIn(command.usage).map((option) => ({
    word: option.split(" ")[0] ?? "",
    description: optionText(option, command) ?? "",
  }));

/** The long spellings of options that the usage has in short. */
const LONG: Readonly<Record<string, string>> = { "--output": "-o", "--namespace": "-n" };

/** Returns the value that an option takes, as the usage spells it; undefined if it takes none. */
function valueName(option: string, usage: string): string | undefined {
  const spelling = optionsIn(usage).find((each) => each.split(" ")[0] === (LONG[option] ?? option));
  return spelling?.split(" ")[1];
}

function valueCompletion(option: string, value: string, current: string): Completion {
  if (value === "FILE") return { candidates: [], files: true };
  if (value === "NAMESPACE") return { candidates: [], names: "namespaces" };
  if (option === "--context") return { candidates: [], names: "contexts" };
  if (option === "--provider") return { candidates: [], names: "providers" };
  const words = value.includes("|") ? value.split("|") : [];
  return beginningWith(
    current,
    words.map((word) => ({ word })),
  );
}

/** The argument of a command is what its usage names outside of options. */
function argumentCompletion(usage: string, current: string): Completion {
  if (/(^| )NAMESPACE\/NAME/.test(usage)) return { candidates: [], names: "masterkeys" };
  const [, shells] = /^(?:completion|audit) (\S+)/.exec(usage) ?? [];
  if (shells !== undefined)
    return beginningWith(
      current,
      shells.split("|").map((word) => ({ word })),
    );
  return / FILE$/.test(usage) ? { candidates: [], files: true } : NOTHING;
}
