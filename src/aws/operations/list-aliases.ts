import { nameText } from "../../names.ts";
import type { AwsKeys, TargetedAlias } from "../keys/aws-keys.ts";
import { notFound, parseKeyName } from "../keys/key-name.ts";
import type { Operation, Request } from "./operation.ts";
import { type PageInput, pageOf } from "./paging.ts";

interface Input extends PageInput {
  readonly KeyId?: string;
}

interface AliasListEntry {
  readonly AliasName: string;
  readonly AliasArn: string;
  readonly TargetKeyId?: string;
}

interface Output {
  readonly Aliases: readonly AliasListEntry[];
  readonly Truncated: boolean;
  readonly NextMarker?: string;
}

const PAGE = 50;

/** Lists the aliases of the caller's namespace, or those of one of its keys. */
export const listAliases: Operation<Input, Output> = {
  needs: () => [{ action: "ListAliases" }],
  prepare(request, keys) {
    const { entries, rest } = pageOf(aliasesFor(request, keys), nameText, request.input, PAGE);
    return () => ({ Aliases: entries.map((alias) => entryOf(alias, keys)), ...rest });
  },
};

function aliasesFor({ input: { KeyId }, caller }: Request<Input>, keys: AwsKeys): readonly TargetedAlias[] {
  const own = keys.aliasesOf(caller.namespace);
  if (KeyId === undefined) return own;
  const key = keys.find(KeyId, caller);
  // AWS KMS does not list the aliases of another account's key either. What the name means there is not told.
  if (key.namespace !== caller.namespace)
    throw notFound(parseKeyName(KeyId, caller.namespace, keys.site), keys.site);
  return own.filter(({ target }) => target?.keyId === key.keyId);
}

const entryOf = (alias: TargetedAlias, keys: AwsKeys): AliasListEntry => ({
  AliasName: `alias/${alias.name}`,
  AliasArn: keys.aliasArn(alias),
  ...(alias.target !== undefined && { TargetKeyId: alias.target.keyId }),
});
