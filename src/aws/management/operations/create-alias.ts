import { AwsError } from "../../aws-error.ts";
import type { Operation } from "../../operations/operation.ts";
import { parseAliasName } from "../alias-name.ts";
import type { Nothing } from "../key-change.ts";
import { refuseTarget, removeAlias, waitUntilPointing } from "../managed-alias.ts";
import { findById } from "../managed-key.ts";
import type { ManagedObjects } from "../managed-objects.ts";

interface Input {
  readonly AliasName: string;
  readonly TargetKeyId: string;
}

export const createAlias = (objects: ManagedObjects): Operation<Input, Nothing> => ({
  needs: ({ input, caller }, keys) => [
    { action: "CreateAlias", key: findById(keys, input.TargetKeyId, caller) },
  ],
  prepare({ input, caller }, keys) {
    const name = parseAliasName(input.AliasName, caller);
    const key = findById(keys, input.TargetKeyId, caller);
    return async () => {
      await refuseTarget(objects, name, key, keys);
      if (keys.alias(name) !== undefined)
        throw new AwsError(
          "AlreadyExistsException",
          `An alias with the name ${keys.aliasArn({ ...name, masterKey: "" })} already exists`,
        );
      await objects.create(caller, "KeyAlias", name, { masterKey: key.name });
      await waitUntilPointing(objects, name, key, keys, () => removeAlias(objects, caller, name, key, keys));
      return {};
    };
  },
});
