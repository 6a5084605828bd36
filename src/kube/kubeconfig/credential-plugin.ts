import { type ChildProcess, spawn } from "node:child_process";
import { isAbsolute, join } from "node:path";
import { messageOf } from "../../errors.ts";
import { fieldsOf, parsedJson, textAs } from "../../json.ts";
import { oneLine } from "../../printable.ts";

/** The `exec` of a kubeconfig's user (client-go credential plugins). */
export interface CredentialPlugin {
  readonly apiVersion: string;
  readonly command: string;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
}

/** The output of a plugin, in the fields of a kubeconfig's user. */
export interface PluginCredential {
  readonly token?: string;
  /** PEM in base64. */
  readonly certData?: string;
  readonly keyData?: string;
}

/** How long output may still arrive after the plugin has ended. */
const LAST_WORDS_MILLISECONDS = 1_000;
const MAX_OUTPUT_CHARACTERS = 1 << 20;
/** A plugin's message for people is short, and at the end of its output. */
const MAX_COMPLAINT_CHARACTERS = 500;

/**
 * Reads the `exec` of a user. If the command is a relative path, it starts at the kubeconfig's folder, as in
 * kubectl. Throws an Error.
 */
export function pluginOf(exec: unknown, folder: string): CredentialPlugin {
  const { apiVersion, command, args, env } = fieldsOf(exec);
  if (typeof command !== "string" || command === "") throw new Error("its exec names no command");
  const local = command.includes("/") && !isAbsolute(command);
  return {
    apiVersion: typeof apiVersion === "string" ? apiVersion : "client.authentication.k8s.io/v1",
    command: local ? join(folder, command) : command,
    args: itemsOf(args).map(String),
    env: Object.fromEntries(
      itemsOf(env)
        .map(fieldsOf)
        .map(({ name, value }) => [String(name), String(value)]),
    ),
  };
}

/**
 * Runs a plugin to its end, or until the signal aborts, which kills it. Throws an Error without the plugin's
 * output.
 */
export async function runCredentialPlugin(
  plugin: CredentialPlugin,
  signal: AbortSignal,
): Promise<PluginCredential> {
  // The rest of its output may be secret.
  const status = fieldsOf(fieldsOf(parsedJson(await outputOf(plugin, signal))).status);
  const credential = {
    ...textAs("token", status.token),
    ...textAs("certData", base64(status.clientCertificateData)),
    ...textAs("keyData", base64(status.clientKeyData)),
  };
  if ("token" in credential || "certData" in credential) return credential;
  throw new Error(`${plugin.command} printed no ExecCredential with a token or a certificate`);
}

function outputOf({ apiVersion, command, args, env }: CredentialPlugin, signal: AbortSignal) {
  const info = { apiVersion, kind: "ExecCredential", spec: { interactive: false } };
  const child = spawn(command, args, {
    // A process group of its own, so that the processes that the plugin started end with it.
    detached: true,
    stdio: ["ignore", "pipe", "pipe"],
    env: { ...process.env, KUBERNETES_EXEC_INFO: JSON.stringify(info), ...env },
  });
  let [output, complaint] = ["", ""];
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    output += text;
    if (output.length > MAX_OUTPUT_CHARACTERS) killGroup(child);
  });
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    complaint = (complaint + text).slice(-MAX_COMPLAINT_CHARACTERS);
  });
  return new Promise<string>((resolve, reject) => {
    const abort = () => {
      killGroup(child);
      // Processes that the plugin started may hold them open.
      child.stdout.destroy();
      child.stderr.destroy();
      reject(new Error(`${command}: ${messageOf(signal.reason)}`));
    };
    if (signal.aborted) abort();
    signal.addEventListener("abort", abort, { once: true });
    child.once("error", ({ message }) => reject(new Error(`${command} cannot be run: ${message}`)));
    // The plugin has written everything, but processes that it left running may hold its output open.
    child.once("exit", () =>
      setTimeout(() => {
        child.stdout.destroy();
        child.stderr.destroy();
      }, LAST_WORDS_MILLISECONDS).unref(),
    );
    child.once("close", (code, killedBy) => {
      signal.removeEventListener("abort", abort);
      if (code === 0) return resolve(output);
      reject(new Error(`${command} ended with ${killedBy ?? `code ${code}`}: ${oneLine(complaint)}`));
    });
  });
}

function killGroup({ pid }: ChildProcess): void {
  if (pid === undefined) return;
  try {
    process.kill(-pid, "SIGKILL");
  } catch (error) {
    // The plugin has ended already.
    if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error;
  }
}

const base64 = (pem: unknown): unknown =>
  typeof pem === "string" ? Buffer.from(pem).toString("base64") : pem;

const itemsOf = (value: unknown): readonly unknown[] => (Array.isArray(value) ? value : []);
