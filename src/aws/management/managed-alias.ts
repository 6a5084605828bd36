import type { KeyRow } from "../../keyring/rows.ts";
import type { ObjectName } from "../../names.ts";
import type { KeyAlias } from "../../resources/resources.ts";
import { retryConflicts } from "../../store/retry-conflicts.ts";
import { AwsError } from "../aws-error.ts";
import type { Caller } from "../caller.ts";
import type { AwsKeys } from "../keys/aws-keys.ts";
import { aliasText } from "./alias-name.ts";
import { aliasRefusal } from "./alias-refusal.ts";
import { NOT_PENDING_DELETION, observeKey, refuseStates } from "./managed-key.ts";
import type { ManagedObjects } from "./managed-objects.ts";
import { untilFollowed } from "./until.ts";

/** AWS KMS's limit. */
const MOST_ALIASES = 50;

/** Throws AwsError unless an alias of this name may point to the key. */
export async function refuseTarget(
  objects: ManagedObjects,
  alias: ObjectName,
  key: KeyRow,
  keys: AwsKeys,
): Promise<void> {
  if (alias.namespace !== key.namespace) throw otherNamespace(alias, keys.arn(key));
  const others = keys
    .aliasesOf(key.namespace)
    .filter((row) => row.masterKey === key.name && row.name !== alias.name);
  if (others.length >= MOST_ALIASES)
    throw new AwsError(
      "LimitExceededException",
      `${keys.arn(key)} has ${MOST_ALIASES} aliases, which is the limit.`,
    );
  refuseStates(await observeKey(objects, key, keys), ...NOT_PENDING_DELETION);
}

const otherNamespace = (alias: ObjectName, arn: string): AwsError =>
  new AwsError(
    "NotFoundException",
    `Key '${arn}' does not exist in namespace ${alias.namespace}: an alias points to a key of its own namespace`,
  );

/** Waits until the keyring finds the key by the alias, or somebody has changed the alias again. Throws AwsError if the operator refuses, after `undo`. */
export async function waitUntilPointing(
  objects: ManagedObjects,
  alias: ObjectName,
  key: KeyRow,
  keys: AwsKeys,
  undo: () => Promise<void>,
): Promise<void> {
  let isOverridden = false;
  const isFollowed = () => {
    keys.freshen();
    return isOverridden || keys.alias(alias)?.masterKey === key.name;
  };
  const refuse = async () => {
    const object = await objects.read("KeyAlias", alias);
    // Somebody has moved or deleted it again: the operator may never have seen it here.
    isOverridden = object?.spec.masterKey !== key.name;
    const refusal = isOverridden ? undefined : object && aliasRefusal(object);
    if (refusal === undefined) return;
    await undo();
    throw refusal;
  };
  if (!(await untilFollowed(isFollowed, refuse))) throw late(alias);
}

/** Does something with an alias as it is now, until nobody else has written in between. Throws NotFoundException. */
export async function withAlias<T>(
  objects: ManagedObjects,
  name: ObjectName,
  keys: AwsKeys,
  use: (alias: KeyAlias) => Promise<T>,
): Promise<T> {
  return retryConflicts(async () => {
    const alias = await objects.read("KeyAlias", name);
    if (alias === undefined) throw noSuchAlias(name, keys);
    return use(alias);
  });
}

/** Returns the key that an alias points to. Throws NotFoundException if there is no such alias. */
export function targetOf(name: ObjectName, keys: AwsKeys): KeyRow {
  const row = keys.alias(name);
  const key = row && keys.named({ namespace: row.namespace, name: row.masterKey });
  if (key === undefined) throw noSuchAlias(name, keys);
  return key;
}

/**
 * Throws DependencyTimeoutException, after which clients ask again, if the alias has moved from the key that the
 * caller was allowed to take it from.
 */
export function refuseMoved({ spec, status }: KeyAlias, name: ObjectName, allowed: KeyRow): void {
  if ((status?.masterKey ?? spec.masterKey) === allowed.name) return;
  throw new AwsError(
    "DependencyTimeoutException",
    `${aliasText(name)} has moved to another key while the permissions were checked: retry.`,
  );
}

const noSuchAlias = (name: ObjectName, keys: AwsKeys): AwsError =>
  new AwsError("NotFoundException", `Alias ${keys.aliasArn({ ...name, masterKey: "" })} is not found.`);

/** Returns the error for an alias that is written, and that this node does not follow yet. */
export const late = (alias: ObjectName): AwsError =>
  new AwsError(
    "DependencyTimeoutException",
    `The change of ${aliasText(alias)} is written, and is not in force on this node yet: see the conditions of the KeyAlias, and whether the operator of this node runs.`,
  );

/** Removes an alias as the caller, if it still points to the key for which that was allowed. */
export const removeAlias = (
  objects: ManagedObjects,
  caller: Caller,
  name: ObjectName,
  allowed: KeyRow,
  keys: AwsKeys,
): Promise<void> =>
  withAlias(objects, name, keys, (alias) => {
    refuseMoved(alias, name, allowed);
    return objects.remove(caller, alias);
  });
