import { setTimeout as sleep } from "node:timers/promises";
import type { NodeConfig } from "../config/config.ts";
import { readWatchedConfig } from "../config/watched-config.ts";
import { messageOf } from "../errors.ts";
import type { Log } from "../log.ts";
import { keyRefText } from "../names.ts";
import type { Plugin } from "../plugin/plugin.ts";
import type { SocketServer } from "../plugin/socket-server.ts";
import { printable } from "../printable.ts";
import { encryptionConfiguration } from "../storage/encryption-config/print.ts";
import { type Command, configPathOf, DAEMON_OPTIONS, logFormatOf, parseOptions } from "./command.ts";
import { apiIntroduction } from "./serve/api-introduction.ts";
import { supervise } from "./serve/supervise.ts";
import { daemonLog } from "./terminal/daemon-log.ts";
import { print } from "./terminal/print.ts";
import { stopSignal } from "./terminal/stop-signal.ts";

const CHECK_MILLISECONDS = 100;
/** Say why there is no key yet, after this time. */
const PATIENCE_MILLISECONDS = 5_000;

export const serve: Command = {
  summary: "Run the plugin here, and the operator and the AWS KMS API as children that are restarted.",
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
    // The children end with this process, however this process ends: also if a socket cannot be bound.
    const ended = new AbortController();
    const signal = AbortSignal.any([stop, ended.signal]);
    let children: Promise<unknown> | undefined;
    // Starts the children only once the sockets are bound, so that a second serve complains once, not twice.
    const onListening = (plugin: Plugin) => {
      const names = config.api === undefined ? ["operator"] : ["operator", "api"];
      const logOfServe = daemonLog("serve", format);
      children = Promise.all(
        names.map(async (name) => {
          if (name === "api") await prepareCredentials(config, logOfServe);
          const args = [name, "--config", config.path, "--log-format", format];
          await supervise({ name, args, signal, log: logOfServe });
        }),
      );
      // A program that reads the log as JSON often reads stdout too, as in a container.
      if (format === "text") void introduce(plugin, config, signal);
    };
    const { runPlugin } = await import("../plugin/plugin.ts");
    try {
      await runPlugin({ configuration, log, signal, onListening, ...(timing && { timing }) });
    } finally {
      ended.abort();
      await children;
    }
  },
};

/**
 * Standalone, a first credential is made as the root key is: without it nobody could call the API. Never rejects,
 * because the sockets do not depend on it.
 */
async function prepareCredentials({ api, resources }: NodeConfig, log: Log): Promise<void> {
  if (api?.credentials === undefined || resources.kind !== "manifests") return;
  try {
    const { createFirstCredentials } = await import("../aws/credentials/first-credentials.ts");
    createFirstCredentials(api.credentials);
  } catch (error) {
    log("error", messageOf(error));
  }
}

/** Tells a newcomer, once, where the sockets are and what to paste, and proves that they work. */
async function introduce(plugin: Plugin, config: NodeConfig, signal: AbortSignal): Promise<void> {
  if (plugin.servers.length === 0) {
    print("No providers are configured: there is no socket to serve.\n");
  }
  for (const server of plugin.servers) {
    if (!(await keyArrives(server, signal))) return;
    print(await introduction(server));
  }
  if (config.api !== undefined) print((await apiIntroduction(config, config.api, signal)) ?? "");
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
