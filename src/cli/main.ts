import { messageOf } from "../errors.ts";
import { type Command, UsageError } from "./command.ts";

/**
 * Each command is loaded when asked for: `plugin` must not pay for the
 * Kubernetes client that `operator` imports.
 */
const commands: Readonly<Record<string, () => Promise<Command>>> = {
  serve: async () => (await import("./serve.ts")).serve,
  plugin: async () => (await import("./plugin.ts")).plugin,
  operator: async () => (await import("./operator.ts")).operator,
  rotate: async () => (await import("./rotate.ts")).rotate,
  status: async () => (await import("./status.ts")).status,
  import: async () => (await import("./import.ts")).importMaterial,
  census: async () => (await import("./census.ts")).census,
  doctor: async () => (await import("./doctor.ts")).doctor,
  backup: async () => (await import("./backup.ts")).backup,
  restore: async () => (await import("./restore.ts")).restore,
};

async function main([name, ...args]: readonly string[]): Promise<void> {
  if (name === undefined || name === "help" || name === "--help" || name === "-h") return printHelp();
  const load = Object.hasOwn(commands, name) ? commands[name] : undefined;
  if (load === undefined)
    throw new UsageError(`there is no command ${JSON.stringify(name)}; see claviger help`);
  const command = await load();
  if (args.includes("--help") || args.includes("-h")) {
    process.stdout.write(`claviger ${command.usage}\n\n${command.summary}\n`);
    return;
  }
  await command.run(args);
}

async function printHelp(): Promise<void> {
  const loaded = await Promise.all(Object.values(commands).map((load) => load()));
  const lines = loaded.map(({ usage, summary }) => `  claviger ${usage}\n      ${summary}`);
  process.stdout.write(
    `Managed encryption keys for Kubernetes: KMS v2 for API servers, rotation, verified re-encryption.\n\n${lines.join("\n")}\n`,
  );
}

/**
 * Whoever reads our output may end before us (`claviger serve | logger`), and a
 * stream's error without a listener would end us: a plugin must answer on.
 */
function outliveReaders(): void {
  process.stderr.on("error", () => {
    // There is no place left to say it.
  });
  process.stdout.on("error", (error: NodeJS.ErrnoException) => {
    if (error.code !== "EPIPE") process.exitCode = 1;
  });
}

outliveReaders();
try {
  await main(process.argv.slice(2));
} catch (error) {
  process.stderr.write(`claviger: ${messageOf(error)}\n`);
  process.exitCode = error instanceof UsageError ? 2 : 1;
} finally {
  // Under `serve` an open channel to it would keep an operator alive that has ended.
  if (process.connected) process.disconnect?.();
}
