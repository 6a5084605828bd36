import { type Action, actions } from "../../access/actions.ts";
import { printable } from "../../printable.ts";
import { UsageError } from "../command.ts";
import { didYouMean } from "../terminal/nearest.ts";

const PREFIX = "kms:";
const names = Object.keys(actions) as readonly Action[];

/** The operations that are done with a key. */
export const KEY_OPERATIONS: readonly Action[] = names.filter((name) => actions[name].on === "key");

/** Reads an operation of AWS KMS: Encrypt or kms:Encrypt. Throws UsageError if a key has no such permission. */
export function operationNamed(text: string): Action {
  const name = text.startsWith(PREFIX) ? text.slice(PREFIX.length) : text;
  const action = names.find((known) => known === name);
  if (name === "ReEncrypt")
    throw new UsageError(
      "ReEncrypt needs ReEncryptFrom of one key and ReEncryptTo of the other: ask for each",
    );
  if (action === undefined)
    throw new UsageError(`there is no operation "${printable(name, 64)}"${didYouMean(name, KEY_OPERATIONS)}`);
  if (actions[action].on === "key") return action;
  throw new UsageError(
    `${action} is done with no key, so that RBAC alone decides: kubectl auth can-i ${actions[action].verb} masterkeys.kms.claviger.dev -n NAMESPACE --as USER`,
  );
}
