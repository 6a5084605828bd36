import { KMSClient } from "@aws-sdk/client-kms";
import { vi } from "vitest";
import { run } from "../controlplane/run.ts";

const EXPORT = /^ {2}export AWS_.*$/gm;
const COMMAND = /^ {2}aws kms .*$/m;

/** A terminal into which somebody pastes the lines that `npm start` and `npm run cluster` print of the AWS KMS API. */
export class PastedTerminal {
  readonly environment: Readonly<Record<string, string>>;
  readonly #command: string;

  private constructor(environment: Readonly<Record<string, string>>, command: string) {
    this.environment = environment;
    this.#command = command;
  }

  static async open(printed: string, before: Readonly<Record<string, string>>): Promise<PastedTerminal> {
    const exported = [...printed.matchAll(EXPORT)].join("\n");
    const entries = (await shell(`${exported}\nenv -0`, before)).split("\0").filter(Boolean);
    const environment = entries.map((entry) => /^(.*?)=(.*)$/s.exec(entry)?.slice(1) ?? []);
    return new PastedTerminal(Object.fromEntries(environment), COMMAND.exec(printed)?.[0] ?? "false");
  }

  /** Runs the printed command of the aws CLI and returns its answer. */
  async firstCommand(): Promise<Readonly<Record<string, string>>> {
    return JSON.parse(await shell(this.#command, this.environment));
  }

  /** Calls `use` with the client of the AWS SDK for JavaScript, which the variables alone configure. */
  async withClient<T>(use: (kms: KMSClient) => Promise<T>): Promise<T> {
    const own = Object.entries(this.environment).filter(([name]) => name.startsWith("AWS_"));
    for (const [name, value] of own) vi.stubEnv(name, value);
    const kms = new KMSClient({ maxAttempts: 1 });
    try {
      return await use(kms);
    } finally {
      kms.destroy();
      vi.unstubAllEnvs();
    }
  }
}

async function shell(text: string, env: Readonly<Record<string, string>>): Promise<string> {
  const args = ["--norc", "-euo", "pipefail", "-c", text];
  const { code, stdout, stderr } = await run("bash", args, { env, deadline: 60_000 });
  if (code !== 0) throw new Error(`${text} ended with ${code}: ${stdout}${stderr}`);
  return stdout;
}
