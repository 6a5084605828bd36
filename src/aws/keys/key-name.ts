import { type KeyId, parseKeyId } from "../../crypto/ids.ts";
import { type AwsSite, arnPrefix } from "../../keys/arn.ts";
import type { ObjectName } from "../../names.ts";
import { printable } from "../../printable.ts";
import { AwsError } from "../aws-error.ts";

/** A key as a request names it. */
export type NamedKey = { readonly keyId: KeyId } | { readonly alias: ObjectName };

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;
const ALIAS = /^alias\/(?:([a-z0-9-]{1,63})\/)?([a-z0-9.-]{1,253})$/;
const KEY = "key/";
/** The limit of a KeyId in the service model. */
const MAX_LENGTH = 2048;
const SHOWN_LENGTH = 128;

/**
 * Reads a KeyId of a request: a key id, an alias, or the ARN of one of them. `alias/NAME` is an alias in the
 * caller's own namespace, `alias/NAMESPACE/NAME` in any. Throws NotFoundException for other text and for ARNs of
 * another site, and InvalidArnException for a malformed ARN.
 */
export function parseKeyName(text: string, namespace: string, site: AwsSite): NamedKey {
  const isArn = text.length <= MAX_LENGTH && text.startsWith("arn:");
  const parsed = isArn ? ofResource(resourceOf(text, site), namespace) : ofName(text, namespace);
  if (parsed === undefined) throw new AwsError("NotFoundException", `Invalid keyId '${shown(text)}'`);
  return parsed;
}

const shown = (text: string): string => printable(text, SHOWN_LENGTH);

const ofName = (text: string, namespace: string): NamedKey | undefined =>
  keyOf(text) ?? aliasOf(text, namespace);

/** An ARN says by itself if it is of a key: key/alias/NAME is no alias. */
const ofResource = (resource: string, namespace: string): NamedKey | undefined =>
  resource.startsWith(KEY) ? keyOf(resource.slice(KEY.length)) : aliasOf(resource, namespace);

const keyOf = (text: string): NamedKey | undefined =>
  UUID.test(text) ? { keyId: parseKeyId(text) } : undefined;

function aliasOf(text: string, own: string): NamedKey | undefined {
  const [, namespace = own, name] = ALIAS.exec(text) ?? [];
  return name === undefined ? undefined : { alias: { namespace, name } };
}

/** Returns the last part of an ARN: key/… or alias/…. */
function resourceOf(arn: string, site: AwsSite): string {
  const [, partition, service, region, account, resource = "", ...rest] = arn.split(":", 7);
  const isKms = partition === "aws" && service === "kms" && rest.length === 0;
  if (!isKms || !/^(?:key|alias)\/./.test(resource))
    throw new AwsError("InvalidArnException", `Invalid arn ${shown(arn)}`);
  if (region !== site.region || account !== site.account)
    throw new AwsError(
      "NotFoundException",
      `Invalid arn ${shown(arn)}: this endpoint serves account ${site.account} in ${site.region}`,
    );
  return resource;
}

/** Returns the ARN of a key. */
export const keyArn = (keyId: KeyId, site: AwsSite): string => arnPrefix(site, "key") + keyId;

/** Returns the ARN of an alias. */
export const aliasArn = ({ namespace, name }: ObjectName, site: AwsSite): string =>
  `${arnPrefix(site, "alias")}${namespace}/${name}`;

/** Returns the error for a key that is not here. */
export const notFound = (named: NamedKey, site: AwsSite): AwsError =>
  new AwsError(
    "NotFoundException",
    "keyId" in named
      ? `Key '${keyArn(named.keyId, site)}' does not exist`
      : `Alias ${aliasArn(named.alias, site)} is not found.`,
  );
