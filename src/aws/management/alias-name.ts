import { nameText, type ObjectName } from "../../names.ts";
import { printable } from "../../printable.ts";
import { AwsError } from "../aws-error.ts";
import type { Caller } from "../caller.ts";

const NAME = /^alias\/(?:([a-z0-9][a-z0-9-]{0,62})\/)?([a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?)$/;

/**
 * Reads an AliasName: alias/NAME in the caller's namespace, alias/NAMESPACE/NAME in any. A KeyAlias has the name,
 * so capital letters, underscores and further slashes are refused. Throws InvalidAliasNameException.
 */
export function parseAliasName(text: string, caller: Caller): ObjectName {
  const [, namespace = caller.namespace, name] = NAME.exec(text) ?? [];
  if (/^alias\/aws\//i.test(text))
    throw new AwsError("InvalidAliasNameException", "Names that begin with alias/aws/ are reserved.");
  if (name === undefined || namespace.endsWith("-") || name.includes("..")) throw invalid(text);
  return { namespace, name };
}

const invalid = (text: string): AwsError =>
  new AwsError(
    "InvalidAliasNameException",
    `${printable(text, 256)} is not the name of a KeyAlias: use alias/NAME or alias/NAMESPACE/NAME with small letters, digits and hyphens`,
  );

/** Returns the name of an alias in messages. */
export const aliasText = (name: ObjectName): string => `alias/${nameText(name)}`;
