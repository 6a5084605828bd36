import type { KeyRow } from "../../keyring/rows.ts";
import type { Operation } from "./operation.ts";
import { type PageInput, pageOf } from "./paging.ts";

interface Input extends PageInput {
  readonly ResourceOwners?: readonly string[];
}

interface Output {
  readonly Keys: readonly { readonly KeyId: string; readonly KeyArn: string }[];
  readonly Truncated: boolean;
  readonly NextMarker?: string;
}

const PAGE = 100;

/** Lists the keys of the caller's namespace, which is the caller's account. */
export const listKeys: Operation<Input, Output> = {
  needs: () => [{ action: "ListKeys" }],
  prepare({ input, caller }, keys) {
    // No other account shares its keys with this one.
    const { ResourceOwners: owners = ["SELF"] } = input;
    const own: readonly KeyRow[] = owners.includes("SELF") ? keys.ofNamespace(caller.namespace) : [];
    const { entries, rest } = pageOf(own, ({ keyId }) => keyId, input, PAGE);
    return () => ({ Keys: entries.map((key) => ({ KeyId: key.keyId, KeyArn: keys.arn(key) })), ...rest });
  },
};
