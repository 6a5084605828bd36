import { type ParseArgsConfig, parseArgs } from "node:util";
import { ClavigerError, messageOf } from "../errors.ts";
import { LOG_FORMATS, type LogFormat } from "../log.ts";
import type { Timing } from "../timing.ts";
import { FORMATS, type Format } from "./terminal/formats.ts";
import { didYouMean } from "./terminal/nearest.ts";

/** One command of the command line. */
export interface Command {
  readonly summary: string;
  readonly usage: string;
  /**
   * Describes each option, by its spelling in `usage`. Options that mean the same everywhere are described in
   * help.ts.
   */
  readonly options?: Readonly<Record<string, string>>;
  /**
   * Runs the command to its end. Throws UsageError, ClavigerError or a defect. Plugin and operator use
   * `timing`, or the production timing if it is left out.
   */
  run(args: readonly string[], timing?: Timing): Promise<void>;
}

/** The command line itself is wrong. Exit code 2. */
export class UsageError extends ClavigerError {
  constructor(message: string) {
    super("ConfigInvalid", message);
  }
}

type OptionsConfig = NonNullable<ParseArgsConfig["options"]>;

/** Parses options strictly. Throws UsageError. */
export function parseOptions<T extends OptionsConfig>(args: readonly string[], options: T) {
  return strictly(
    () => parseArgs({ args: [...args], options, allowPositionals: false, strict: true }),
    options,
  ).values;
}

/**
 * Parses options and exactly one other argument. Throws UsageError, saying that `what` is needed, if there is
 * not exactly one.
 */
export function parseArgument<T extends OptionsConfig>(args: readonly string[], what: string, options: T) {
  const parsed = parseArguments(args, options);
  const [argument, ...more] = parsed.words;
  if (argument === undefined || more.length > 0) throw new UsageError(`${what} is needed`);
  return { argument, options: parsed.options };
}

/** Parses options and any number of other arguments. Throws UsageError. */
export function parseArguments<T extends OptionsConfig>(args: readonly string[], options: T) {
  const { positionals, values } = strictly(
    () => parseArgs({ args: [...args], options, allowPositionals: true, strict: true }),
    options,
  );
  return { words: positionals, options: values };
}

function strictly<T>(parse: () => T, options: OptionsConfig): T {
  try {
    return parse();
  } catch (error) {
    throw new UsageError(parseProblem(error, options));
  }
}

/** Node's own messages have several lines, or mention arguments that no command takes. */
function parseProblem(error: unknown, options: OptionsConfig): string {
  const message = messageOf(error);
  const [, quoted = ""] = /'(?:-\w, )?([^' ]*)/.exec(message) ?? [];
  switch (error instanceof Error && "code" in error ? error.code : undefined) {
    case "ERR_PARSE_ARGS_UNKNOWN_OPTION": {
      const known = Object.keys(options).map((name) => `--${name}`);
      return `there is no option ${quoted}${didYouMean(quoted, known)}`;
    }
    case "ERR_PARSE_ARGS_INVALID_OPTION_VALUE":
      return `${quoted} ${message.includes("does not take") ? "takes no value" : "needs a value"}`;
    case "ERR_PARSE_ARGS_UNEXPECTED_POSITIONAL":
      return `"${quoted}" is one argument too many`;
    default:
      return message;
  }
}

/** Returns an option's value. Throws UsageError if the option was left out. */
export function needed(value: string | undefined, option: string): string {
  if (value === undefined) throw new UsageError(`${option} is needed`);
  return value;
}

/** The path of this node's configuration if neither the command line nor the environment names another. */
export const DEFAULT_CONFIG = "/etc/claviger/claviger.yaml";

/** Returns the path of this node's configuration: the option's value, else $CLAVIGER_CONFIG, else the default. */
export const configPathOf = (option: string | undefined): string =>
  option ?? (process.env.CLAVIGER_CONFIG || DEFAULT_CONFIG);

/** The options of the long-running commands. */
export const DAEMON_OPTIONS = { config: { type: "string" }, "log-format": { type: "string" } } as const;

/** Returns the wanted format of the log, or undefined if none is named. Throws UsageError. */
export const logFormatOf = (options: { readonly "log-format"?: string | undefined }): LogFormat | undefined =>
  oneOf("--log-format", options["log-format"], LOG_FORMATS);

/** The output option of commands whose table can also be printed for programs. */
export const OUTPUT = { type: "string", short: "o" } as const;

/** Returns the wanted format, or undefined for people's. Throws UsageError if it is none. */
export const formatOf = (output: string | undefined): Format | undefined => oneOf("-o", output, FORMATS);

/** Renders words as "a, b or c". */
const listed = (words: readonly string[]): string => words.join(", ").replace(/, ([^,]*)$/, " or $1");

/** Returns the value of an option that takes one of a few words. Throws UsageError. */
export function oneOf<T extends string>(
  option: string,
  value: string | undefined,
  words: readonly T[],
): T | undefined {
  const word = words.find((known) => known === value);
  if (value === undefined || word !== undefined) return word;
  throw new UsageError(`${option} takes ${listed(words)}${didYouMean(value, words)}`);
}
