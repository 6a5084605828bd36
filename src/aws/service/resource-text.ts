import type { AliasRow, KeyRow } from "../../keyring/rows.ts";
import type { AwsKeys } from "../keys/aws-keys.ts";
import { type NamedKey, parseKeyName } from "../keys/key-name.ts";
import type { Request } from "../operations/operation.ts";

/** The members of requests that name a key or an alias. */
const MEMBERS: readonly string[] = ["KeyId", "SourceKeyId", "DestinationKeyId", "TargetKeyId", "AliasName"];

/**
 * Returns a key as an AccessDeniedException names it: by its alias if the request named it so, because whoever may
 * not use a key does not learn its id from its alias.
 */
export function resourceText(key: KeyRow | undefined, request: Request<object>, keys: AwsKeys): string {
  if (key === undefined) return "*";
  const isById = namesIn(request, keys).some((name) => "keyId" in name && name.keyId === key.keyId);
  const [alias] = isById ? [] : aliasesInRequest(key, request, keys);
  return alias === undefined ? keys.arn(key) : keys.aliasArn(alias);
}

/** Returns the aliases of a key by which a request names it. */
export const aliasesInRequest = (
  key: KeyRow,
  request: Request<object>,
  keys: Pick<AwsKeys, "site" | "alias">,
): readonly AliasRow[] =>
  namesIn(request, keys)
    .flatMap((name) => ("alias" in name ? (keys.alias(name.alias) ?? []) : []))
    .filter((row) => pointsTo(row, key));

const pointsTo = ({ namespace, masterKey }: AliasRow, key: KeyRow): boolean =>
  namespace === key.namespace && masterKey === key.name;

function namesIn({ input, caller }: Request<object>, { site }: Pick<AwsKeys, "site">): readonly NamedKey[] {
  return Object.entries(input).flatMap(([member, text]: [string, unknown]) => {
    if (typeof text !== "string" || !MEMBERS.includes(member)) return [];
    try {
      return [parseKeyName(text, caller.namespace, site)];
    } catch {
      // The name of an alias that is to be created may be any text.
      return [];
    }
  });
}
