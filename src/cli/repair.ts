import { readConfig } from "../config/config.ts";
import { kmsKeyId, parseKeyId } from "../crypto/ids.ts";
import { planRepair, type RepairChoice, type RepairPlan } from "../keyring/repair.ts";
import { KeyringWriter } from "../keyring/writer.ts";
import { nameText, type ObjectName } from "../names.ts";
import { type Command, configPathOf, parseArgument, UsageError } from "./command.ts";
import { print } from "./terminal/print.ts";

const STOP_IT = "stop it first, and start it again after the repair";

export const repair: Command = {
  summary: "Give a MasterKey of this node's keyring its own key back after it was led to another's.",
  usage: "repair [--config FILE] [--key-id ID] [--number N] NAMESPACE/NAME",
  options: {
    "--key-id ID": "which key, if the name had several",
    "--number N": "which version is to encrypt: one that every node has; left out, the latest",
  },
  async run(args) {
    const { argument, options } = parseArgument(args, "exactly one NAMESPACE/NAME", {
      config: { type: "string" },
      "key-id": { type: "string" },
      number: { type: "string" },
    });
    const name = nameOf(argument);
    const { "key-id": keyId, number } = options;
    const choice = {
      ...(keyId !== undefined && { keyId: parseKeyId(keyId) }),
      ...(number !== undefined && { number: numberOf(number) }),
      now: Date.now(),
    };
    const { stateDir } = readConfig(configPathOf(options.config));
    print(repairIn(stateDir, name, choice));
  },
};

function nameOf(text: string): ObjectName {
  const [namespace, name, ...more] = text.split("/");
  if (!namespace || !name || more.length > 0) throw new UsageError("exactly one NAMESPACE/NAME is needed");
  return { namespace, name };
}

function numberOf(text: string): number {
  const number = Number(text);
  if (!Number.isSafeInteger(number) || number < 1) throw new UsageError("--number takes a version's number");
  return number;
}

function repairIn(stateDir: string, name: ObjectName, choice: RepairChoice): string {
  const keyring = KeyringWriter.open(stateDir, STOP_IT);
  try {
    const contents = { keys: keyring.keys(), versions: keyring.versions() };
    const plan = planRepair(contents, name, choice);
    if (plan === undefined)
      return `MasterKey ${nameText(name)} encrypts under its own key: nothing was changed\n`;
    keyring.apply([plan.change]);
    return repairText(name, plan);
  } finally {
    keyring.close();
  }
}

function repairText(name: ObjectName, { version, foreign }: RepairPlan): string {
  const text = nameText(name);
  const left =
    foreign === undefined
      ? ""
      : `It left version ${foreign.number} of MasterKey ${nameText(foreign.masterKey)}, which still decrypts.\n`;
  return `MasterKey ${text} encrypts under version ${version.number} of its own key ${version.keyId} again, with key_id ${kmsKeyId(version.keyId, version.versionId)}.
${left}Next: start this node's operator and restart its plugin, do the same on every node, delete the MasterKey
${text} if its status names another key and create it again, then run claviger rotate ${text}.
`;
}
