import { readFileSync } from "node:fs";
import { messageOf } from "../errors.ts";
import { TIMING, type Timing } from "../timing.ts";
import { type Command, UsageError } from "./command.ts";
import { commandHelp, overview } from "./terminal/help.ts";
import { didYouMean } from "./terminal/nearest.ts";
import { complain, print } from "./terminal/print.ts";

/**
 * Each command is loaded when it is asked for. A command loads what is heavy (the operator, the plugin, gRPC)
 * when it runs, because help and completions load every command for its description.
 */
const commands: Readonly<Record<string, () => Promise<Command>>> = {
  init: async () => (await import("./init.ts")).init,
  join: async () => (await import("./join.ts")).join,
  serve: async () => (await import("./serve.ts")).serve,
  plugin: async () => (await import("./plugin.ts")).plugin,
  operator: async () => (await import("./operator.ts")).operator,
  api: async () => (await import("./api.ts")).api,
  credentials: async () => (await import("./credentials/credentials.ts")).credentials,
  access: async () => (await import("./access/access.ts")).access,
  rotate: async () => (await import("./rotate.ts")).rotate,
  status: async () => (await import("./status.ts")).status,
  import: async () => (await import("./import.ts")).importMaterial,
  encrypt: async () => (await import("./first-try.ts")).encrypt,
  decrypt: async () => (await import("./first-try.ts")).decrypt,
  census: async () => (await import("./census.ts")).census,
  doctor: async () => (await import("./doctor.ts")).doctor,
  audit: async () => (await import("./audit/audit.ts")).audit,
  backup: async () => (await import("./backup.ts")).backup,
  restore: async () => (await import("./restore.ts")).restore,
  uninstall: async () => (await import("./uninstall.ts")).uninstall,
  repair: async () => (await import("./repair.ts")).repair,
  completion: async () => (await import("./completion.ts")).completion,
};

async function runCommand([name, ...args]: readonly string[], timing: Timing): Promise<void> {
  if (name === undefined || name === "help" || name === "--help" || name === "-h") return printHelp(args);
  if (name === "--version" || name === "-v" || name === "version") return printVersion();
  if (name === "__complete") return complete(args);
  const command = await commandOf(name);
  if (args.includes("--help") || args.includes("-h"))
    return print(commandHelp(command, process.stdout.columns));
  try {
    await command.run(args, timing);
  } catch (error) {
    throw error instanceof UsageError ? new UsageError(`${error.message}; see claviger help ${name}`) : error;
  }
}

async function commandOf(name: string): Promise<Command> {
  const load = Object.hasOwn(commands, name) ? commands[name] : undefined;
  if (load !== undefined) return load();
  const near = didYouMean(name, Object.keys(commands));
  throw new UsageError(`there is no command "${name}"${near}; see claviger help`);
}

async function printHelp([name]: readonly string[]): Promise<void> {
  if (name !== undefined) return print(commandHelp(await commandOf(name), process.stdout.columns));
  print(overview(await Promise.all(Object.values(commands).map((load) => load())), process.stdout.columns));
}

/** For shells: the words of an unfinished command line. */
async function complete(words: readonly string[]): Promise<void> {
  const { printCompletion } = await import("./completion.ts");
  const { wantedCommands } = await import("./completion/wanted-commands.ts");
  const wanted = wantedCommands(words, Object.keys(commands));
  const described = Object.entries(commands).map(async ([name, load]) => {
    const command = wanted.has(name) ? await load() : { summary: "", usage: name };
    return [name, command] as const;
  });
  await printCompletion(words, Object.fromEntries(await Promise.all(described)));
}

function printVersion(): void {
  // The package.json is beside src in a checkout, and beside dist in a package.
  const manifest: unknown = JSON.parse(readFileSync(new URL("../../package.json", import.meta.url), "utf8"));
  const { version } = manifest as { readonly version: string };
  print(`claviger ${version}\n`);
}

/**
 * A process that reads our output may end before us (`claviger serve | logger`). A stream error without a
 * listener would end this process, and a plugin must continue to answer.
 */
function outliveReaders(): void {
  process.stderr.on("error", () => {
    // There is no place left to report it.
  });
  process.stdout.on("error", (error: NodeJS.ErrnoException) => {
    if (error.code !== "EPIPE") process.exitCode = 1;
  });
}

/** Runs the command that `args` name, and sets the exit code. Never rejects. */
export async function main(args: readonly string[], timing: Timing = TIMING): Promise<void> {
  outliveReaders();
  try {
    await runCommand(args, timing);
  } catch (error) {
    complain(messageOf(error));
    process.exitCode = error instanceof UsageError ? 2 : 1;
  } finally {
    // Under `serve`, an open IPC channel would keep an operator alive that has ended.
    if (process.connected) process.disconnect?.();
  }
}
