import type { ObjectName } from "../../../names.ts";
import type { AwsKeys } from "../../keys/aws-keys.ts";
import type { Operation } from "../../operations/operation.ts";
import { parseAliasName } from "../alias-name.ts";
import type { Nothing } from "../key-change.ts";
import { late, removeAlias, targetOf } from "../managed-alias.ts";
import type { ManagedObjects } from "../managed-objects.ts";
import { until } from "../until.ts";

interface Input {
  readonly AliasName: string;
}

export const deleteAlias = (objects: ManagedObjects): Operation<Input, Nothing> => ({
  needs: ({ input, caller }, keys) => [
    { action: "DeleteAlias", key: targetOf(parseAliasName(input.AliasName, caller), keys) },
  ],
  prepare({ input, caller }, keys) {
    const name = parseAliasName(input.AliasName, caller);
    const key = targetOf(name, keys);
    return async () => {
      await removeAlias(objects, caller, name, key, keys);
      if (!(await until(() => isGone(name, keys)))) throw late(name);
      return {};
    };
  },
});

function isGone(name: ObjectName, keys: AwsKeys): boolean {
  keys.freshen();
  return keys.alias(name) === undefined;
}
