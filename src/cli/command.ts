import { type ParseArgsConfig, parseArgs } from "node:util";
import { ClavigerError, messageOf } from "../errors.ts";

/** One command of the command line. */
export interface Command {
  readonly summary: string;
  readonly usage: string;
  /** Runs to the end; throws UsageError, ClavigerError or a defect. */
  run(args: readonly string[]): Promise<void>;
}

/** The command line itself is wrong: exit code 2. */
export class UsageError extends ClavigerError {
  constructor(message: string) {
    super("ConfigInvalid", message);
  }
}

/** Parses options strictly. Throws UsageError. */
export function parseOptions<T extends NonNullable<ParseArgsConfig["options"]>>(
  args: readonly string[],
  options: T,
) {
  return strictly(() => parseArgs({ args: [...args], options, allowPositionals: false, strict: true }))
    .values;
}

/** The same, and the one file that the command is about. */
export function parseOptionsAndFile<T extends NonNullable<ParseArgsConfig["options"]>>(
  args: readonly string[],
  options: T,
) {
  const parsed = strictly(() =>
    parseArgs({ args: [...args], options, allowPositionals: true, strict: true }),
  );
  const [file, ...more] = parsed.positionals;
  if (file === undefined || more.length > 0) throw new UsageError("exactly one FILE is needed");
  return { values: parsed.values, file };
}

function strictly<T>(parse: () => T): T {
  try {
    return parse();
  } catch (error) {
    throw new UsageError(messageOf(error));
  }
}

/** The same with one argument besides the options. Throws UsageError where it is missing. */
export function parseArgument<T extends NonNullable<ParseArgsConfig["options"]>>(
  args: readonly string[],
  name: string,
  options: T,
) {
  try {
    const parsed = parseArgs({ args: [...args], options, allowPositionals: true, strict: true });
    const [argument, ...more] = parsed.positionals;
    if (argument !== undefined && more.length === 0) return { argument, options: parsed.values };
  } catch (error) {
    throw new UsageError(messageOf(error));
  }
  throw new UsageError(`one ${name} is needed`);
}

/** The `--config FILE` that the long-running commands need. */
export function configOption(args: readonly string[]): string {
  const { config } = parseOptions(args, { config: { type: "string" } });
  if (config === undefined) throw new UsageError("--config FILE is needed");
  return config;
}

/** Aborts at the first SIGINT or SIGTERM; a second one ends the process at once. */
export function stopSignal(): AbortSignal {
  const controller = new AbortController();
  for (const name of ["SIGINT", "SIGTERM"] as const) {
    process.once(name, () => {
      controller.abort();
      process.once(name, () => process.exit(1));
    });
  }
  return controller.signal;
}
