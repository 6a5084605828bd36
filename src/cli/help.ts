import type { Command } from "./command.ts";

/** Options that mean the same wherever they are. */
const COMMON: Readonly<Record<string, string>> = {
  "--config FILE": "this node's configuration, such as /etc/claviger/claviger.yaml",
  "--kubeconfig FILE":
    "how to reach the API server; left out, as for kubectl: $KUBECONFIG, then ~/.kube/config",
  "-o json": "for programs",
};

/** The options in a usage line, as it spells them. */
export const optionsIn = (usage: string): string[] => [
  ...new Set([...usage.matchAll(/(?<![\w-])(?:--[a-z-]+(?: [A-Z]+)?|-o json)/g)].map(([option]) => option)),
];

/** What an option is for. */
export const optionText = (option: string, { options }: Pick<Command, "options">): string | undefined =>
  options?.[option] ?? COMMON[option];

/** One command with its options. */
export function commandHelp(command: Command): string {
  const options = optionsIn(command.usage);
  const width = Math.max(...options.map(({ length }) => length));
  const lines = options.map((option) => `  ${option.padEnd(width)}  ${optionText(option, command) ?? ""}\n`);
  return `claviger ${command.usage}\n\n${command.summary}\n\n${lines.join("")}`;
}

/** All commands. */
export function overview(commands: readonly Command[]): string {
  const lines = commands.map(({ usage, summary }) => `  claviger ${usage}\n      ${summary}\n`);
  return `Managed encryption keys for Kubernetes: KMS v2 for API servers, rotation, verified re-encryption.

${lines.join("")}
  claviger help COMMAND
      Say what the options of a command are for.
  claviger --version
      Print the version.
`;
}
