import type { Command } from "../command.ts";
import { item } from "./wrap.ts";

/** Options that mean the same in every command. */
const COMMON: Readonly<Record<string, string>> = {
  "--config FILE": "this node's configuration; left out: $CLAVIGER_CONFIG, then /etc/claviger/claviger.yaml",
  "--kubeconfig FILE":
    "how to reach the API server; left out, as for kubectl: $KUBECONFIG, then ~/.kube/config",
  "--log-format text|json": "the format of the log's lines; left out, log.format of the configuration",
  "-n NAMESPACE": "the namespace of a NAME without one; left out, that of the kubeconfig's context",
  "--context NAME": "the kubeconfig's context; left out, its current context",
  "--color auto|always|never": "auto, the default: on a terminal, unless NO_COLOR is set",
  "-o json|yaml": "print for programs",
};

/** Returns the options in a usage line, as the line spells them. */
export const optionsIn = (usage: string): string[] => [
  ...new Set(
    [
      ...usage.matchAll(
        /(?<![\w-])(?:--[a-z-]+(?: (?:[A-Z]+|[a-z]+(?:\|[a-z]+)+))?|-o [a-z|]+|-n [A-Z]+|-A\b)/g,
      ),
    ].map(([option]) => option),
  ),
];

/** Returns the description of an option. */
export const optionText = (option: string, { options }: Pick<Command, "options">): string | undefined =>
  options?.[option] ?? COMMON[option];

/** Renders the help of one command with its options, wrapped at the width of a terminal. */
export function commandHelp(command: Command, width: number = Number.POSITIVE_INFINITY): string {
  const options = optionsIn(command.usage);
  const column = Math.max(...options.map(({ length }) => length));
  const lines = options.map((option) =>
    item(optionText(option, command) ?? "", width, `  ${option.padEnd(column)}  `),
  );
  return `${item(command.usage, width, "claviger ")}\n${item(command.summary, width, "")}\n${lines.join("")}`;
}

/** Renders the list of all commands. */
export function overview(commands: readonly Command[], width: number = Number.POSITIVE_INFINITY): string {
  const lines = commands.map(
    ({ usage, summary }) => `${item(`claviger ${usage}`, width, "  ")}${item(summary, width, "      ")}`,
  );
  return `Managed encryption keys for Kubernetes: KMS v2 for API servers, rotation, verified re-encryption.

${lines.join("")}
  claviger help COMMAND
      Say what the options of a command are for.
  claviger --version
      Print the version.
`.replace(/^.*\n/, (first) => item(first.trimEnd(), width, ""));
}
