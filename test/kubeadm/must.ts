import { type CommandOptions, run } from "../controlplane/run.ts";

/** Runs a command and returns what it printed. Throws, with the end of its errors, if it fails. */
export async function must(
  binary: string,
  args: readonly string[],
  options: CommandOptions = {},
): Promise<string> {
  const { code, stdout, stderr } = await run(binary, args, options);
  if (code !== 0)
    throw new Error(`${binary} ${args.join(" ").slice(0, 200)} failed (${code}): ${stderr.slice(-1500)}`);
  return stdout;
}
