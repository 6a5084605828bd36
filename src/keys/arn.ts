import type { KeyId } from "../crypto/ids.ts";
import { parseKeyId } from "../crypto/ids.ts";
import { ClavigerError } from "../errors.ts";
import type { ObjectName } from "../names.ts";

/** The account and region that a node's keys have in the AWS-compatible API (NodeConfig `aws`). */
export interface AwsSite {
  readonly account: string;
  readonly region: string;
}

/** The target of an ARN: a key by its keyId, or a KeyAlias. */
export type ArnTarget = { readonly keyId: KeyId } | { readonly alias: ObjectName };

/** Returns the beginning of the ARNs of keys or aliases. */
export const arnPrefix = ({ account, region }: AwsSite, kind: "key" | "alias"): string =>
  `arn:aws:kms:${region}:${account}:${kind}/`;

/** AWS KMS accepts no longer key name. */
const MAX_ARN_LENGTH = 2048;

/**
 * Reads the ARN of a key or alias of this site. Throws InvalidArgument for text that is no such ARN,
 * NotFound for an ARN of another account or region, whose keys are never found under the same id here.
 */
export function parseArn(text: string, site: AwsSite): ArnTarget {
  const parts = text.length <= MAX_ARN_LENGTH ? ARN.exec(text)?.groups : undefined;
  if (parts === undefined) throw new ClavigerError("InvalidArgument", NOT_AN_ARN);
  const { region, account, keyId, namespace = "", name = "" } = parts;
  if (region !== site.region || account !== site.account) {
    throw new ClavigerError(
      "NotFound",
      `the ARN is of account ${account} in ${region}, and this node serves account ${site.account} in ${site.region}`,
    );
  }
  return keyId === undefined ? { alias: { namespace, name } } : { keyId: parseKeyId(keyId) };
}

const ARN =
  /^arn:aws:kms:(?<region>[a-z0-9-]{1,63}):(?<account>\d{12}):(?:key\/(?<keyId>[0-9a-f-]{36})|alias\/(?<namespace>[a-z0-9-]{1,63})\/(?<name>[a-z0-9.-]{1,253}))$/;

const NOT_AN_ARN =
  "a key's ARN is arn:aws:kms:REGION:ACCOUNT:key/KEYID, an alias's arn:aws:kms:REGION:ACCOUNT:alias/NAMESPACE/NAME";
