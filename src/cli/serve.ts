import { type ChildProcess, spawn } from "node:child_process";
import { setTimeout as sleep } from "node:timers/promises";
import { readWatchedConfig } from "../config/watched-config.ts";
import { messageOf } from "../errors.ts";
import type { Log } from "../log.ts";
import { keyRefText } from "../names.ts";
import type { Plugin } from "../plugin/plugin.ts";
import type { SocketServer } from "../plugin/socket-server.ts";
import { printable } from "../printable.ts";
import { encryptionConfiguration } from "../storage/encryption-config/print.ts";
import { type Command, configPathOf, DAEMON_OPTIONS, logFormatOf, parseOptions } from "./command.ts";
import { daemonLog } from "./terminal/daemon-log.ts";
import { print } from "./terminal/print.ts";
import { stopSignal } from "./terminal/stop-signal.ts";

const MIN_RESTART_MILLISECONDS = 500;
const MAX_RESTART_MILLISECONDS = 30_000;
/** After a run of this length the operator counts as healthy, and its next restart is quick again. */
const GOOD_RUN_MILLISECONDS = 60_000;
const CHECK_MILLISECONDS = 100;
/**
 * The time that the operator has to stop. A stop takes it four seconds at most, and it may be killed at any
 * moment.
 */
const STOP_MILLISECONDS = 10_000;
/** Say why there is no key yet, after this time. */
const PATIENCE_MILLISECONDS = 5_000;

export const serve: Command = {
  summary: "Run the plugin here and the operator as a child that is restarted when it dies.",
  usage: "serve [--log-format text|json] [--config FILE]",
  async run(args, timing) {
    const options = parseOptions(args, DAEMON_OPTIONS);
    const configuration = readWatchedConfig(configPathOf(options.config));
    const { config } = configuration;
    const format = logFormatOf(options) ?? config.logFormat;
    const log = daemonLog("plugin", format);
    const stop = stopSignal({
      onHangUp: () => log("info", "received SIGHUP: reloading the configuration"),
    });
    // The operator ends with this process, however this process ends: also if a socket cannot be bound.
    const ended = new AbortController();
    const signal = AbortSignal.any([stop, ended.signal]);
    let operator: Promise<void> | undefined;
    // Starts the operator only once the sockets are bound, so that a second serve complains once, not twice.
    const onListening = (plugin: Plugin) => {
      operator = superviseOperator(
        ["operator", "--config", config.path, "--log-format", format],
        signal,
        daemonLog("serve", format),
      );
      // A program that reads the log as JSON often reads stdout too, as in a container.
      if (format === "text") void introduce(plugin, signal);
    };
    const { runPlugin } = await import("../plugin/plugin.ts");
    try {
      await runPlugin({ configuration, log, signal, onListening, ...(timing && { timing }) });
    } finally {
      ended.abort();
      await operator;
    }
  },
};

/**
 * Runs `claviger operator`, and starts it again each time it ends. The IPC channel only lets it notice that
 * this process is gone.
 */
async function superviseOperator(args: readonly string[], signal: AbortSignal, log: Log): Promise<void> {
  let delay = MIN_RESTART_MILLISECONDS;
  while (!signal.aborted) {
    const started = performance.now();
    const child = spawn(process.execPath, [process.argv[1] ?? "", ...args], {
      stdio: ["ignore", "inherit", "inherit", "ipc"],
    });
    const how = await ended(child, signal, log);
    if (signal.aborted) return;
    delay = performance.now() - started > GOOD_RUN_MILLISECONDS ? MIN_RESTART_MILLISECONDS : delay * 2;
    delay = Math.min(delay, MAX_RESTART_MILLISECONDS);
    log(
      "error",
      `the operator ended (${how}) and is started again in ${delay / 1000} s; the sockets continue to serve`,
    );
    await sleep(delay, undefined, { signal }).catch(() => undefined);
  }
}

/** Returns how the child ended. At the stop it is asked to end, and killed if it does not. */
function ended(child: ChildProcess, signal: AbortSignal, log: Log): Promise<string> {
  let insist: NodeJS.Timeout | undefined;
  const kill = () => {
    log("warn", `the operator did not end within ${STOP_MILLISECONDS / 1000} s and is killed`);
    child.kill("SIGKILL");
  };
  const terminate = () => {
    child.kill("SIGTERM");
    insist = setTimeout(kill, STOP_MILLISECONDS);
  };
  signal.addEventListener("abort", terminate, { once: true });
  if (signal.aborted) terminate();
  return new Promise((resolve) => {
    const done = (how: string) => {
      signal.removeEventListener("abort", terminate);
      clearTimeout(insist);
      resolve(how);
    };
    child.once("error", (error) => done(messageOf(error)));
    child.once("exit", (code, killedBy) => done(killedBy ?? `exit code ${code}`));
  });
}

/** Tells a newcomer, once, where the sockets are and what to paste, and proves that they work. */
async function introduce(plugin: Plugin, signal: AbortSignal): Promise<void> {
  if (plugin.servers.length === 0) {
    print("No providers are configured: there is no socket to serve.\n");
  }
  for (const server of plugin.servers) {
    if (!(await keyArrives(server, signal))) return;
    print(await introduction(server));
  }
}

async function keyArrives({ provider }: SocketServer, signal: AbortSignal): Promise<boolean> {
  const started = performance.now();
  let told = false;
  while (!provider.usable) {
    if (signal.aborted) return false;
    if (!told && performance.now() - started > PATIENCE_MILLISECONDS) {
      told = true;
      const why = provider.problem?.message ?? "the key is disabled or its material has expired";
      print(`Provider ${provider.name} has no key to serve yet: ${printable(why)}.\n`);
    }
    await sleep(CHECK_MILLISECONDS, undefined, { signal }).catch(() => undefined);
  }
  return true;
}

async function introduction({ provider, path }: SocketServer): Promise<string> {
  let proof: string;
  try {
    const { roundTrip } = await import("../plugin/round-trip.ts");
    const { ciphertextBytes, milliseconds } = await roundTrip(path);
    proof = `ok: 32 bytes encrypted to ${ciphertextBytes} and back over the socket in ${milliseconds.toFixed(1)} ms`;
  } catch (error) {
    proof = `FAILED: ${messageOf(error)}`;
  }
  return `
claviger serves KMS v2 for provider ${provider.name}
  socket      ${path}
  key         ${keyRefText(provider.ref)}
  key_id      ${provider.observation?.kmsKeyId ?? ""}
  round trip  ${proof}

For kube-apiserver --encryption-provider-config:

${encryptionConfiguration({ name: provider.name, socket: path }).replaceAll(/^(?=.)/gm, "  ")}
`;
}
