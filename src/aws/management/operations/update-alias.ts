import type { KeyRow } from "../../../keyring/rows.ts";
import { AwsError } from "../../aws-error.ts";
import type { AwsKeys } from "../../keys/aws-keys.ts";
import type { Operation } from "../../operations/operation.ts";
import { parseAliasName } from "../alias-name.ts";
import type { Nothing } from "../key-change.ts";
import { refuseMoved, refuseTarget, targetOf, waitUntilPointing, withAlias } from "../managed-alias.ts";
import { findById, observeKey } from "../managed-key.ts";
import type { ManagedObjects } from "../managed-objects.ts";

interface Input {
  readonly AliasName: string;
  readonly TargetKeyId: string;
}

export const updateAlias = (objects: ManagedObjects): Operation<Input, Nothing> => ({
  needs: ({ input, caller }, keys) => [
    { action: "UpdateAlias", key: targetOf(parseAliasName(input.AliasName, caller), keys) },
    { action: "UpdateAlias", key: findById(keys, input.TargetKeyId, caller) },
  ],
  prepare({ input, caller }, keys) {
    const name = parseAliasName(input.AliasName, caller);
    const former = targetOf(name, keys);
    const key = findById(keys, input.TargetKeyId, caller);
    return async () => {
      await refuseTarget(objects, name, key, keys);
      await refuseOtherKind(objects, former, key, keys);
      const pointTo = ({ name: masterKey }: KeyRow) =>
        withAlias(objects, name, keys, (alias) => {
          refuseMoved(alias, name, former);
          return objects.change(caller, alias, { masterKey });
        });
      await pointTo(key);
      await waitUntilPointing(objects, name, key, keys, () => pointTo(former));
      return {};
    };
  },
});

/** AWS KMS: the former and the new key have the same type and usage. */
async function refuseOtherKind(
  objects: ManagedObjects,
  former: KeyRow,
  key: KeyRow,
  keys: AwsKeys,
): Promise<void> {
  const [before, after] = await Promise.all([former, key].map((row) => observeKey(objects, row, keys)));
  const isSame = before?.masterKey.spec.keySpec === after?.masterKey.spec.keySpec;
  if (isSame && before?.masterKey.spec.keyUsage === after?.masterKey.spec.keyUsage) return;
  throw new AwsError(
    "ValidationException",
    `Alias cannot be changed from ${keys.arn(former)} to ${keys.arn(key)}: the keys differ in key spec or key usage`,
  );
}
