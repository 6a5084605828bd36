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

/** The default region of releases that had no AWS KMS API. Terraform and some SDKs refuse it in ARNs. */
const FORMER_DEFAULT_REGION = "local-cluster-1";

/** The beginnings of the ARNs of a site's keys or aliases. */
export interface ArnPrefixes {
  readonly arnPrefix: string;
  /** The beginning of ARNs that stay as they are. */
  readonly formerArnPrefix?: string;
}

/** A site, and if its region is a default. */
export interface ConfiguredSite extends AwsSite {
  readonly isRegionDefault?: boolean;
}

/** Returns the beginnings of ARNs. Those of the former default region stay until the configuration names a region. */
export function arnPrefixes(site: ConfiguredSite, kind: "key" | "alias"): ArnPrefixes {
  const { account, isRegionDefault = false } = site;
  return {
    arnPrefix: arnPrefix(site, kind),
    ...(isRegionDefault && { formerArnPrefix: arnPrefix({ account, region: FORMER_DEFAULT_REGION }, kind) }),
  };
}

/** Returns the ARN of a key or alias: the published ARN if it stays, because users keep ARNs with their data. */
export const arnOf = (
  { arnPrefix: prefix, formerArnPrefix }: ArnPrefixes,
  id: string,
  published: string | undefined,
): string => (formerArnPrefix !== undefined && published === formerArnPrefix + id ? published : prefix + id);

/** Returns the objection to a published ARN of the former default region, while the configuration names no region. */
export function formerArnObjection(
  { region, isRegionDefault = false }: ConfiguredSite,
  published: string | undefined,
): string | undefined {
  if (!isRegionDefault || published?.split(":")[3] !== FORMER_DEFAULT_REGION) return undefined;
  return `its ARN is of region ${FORMER_DEFAULT_REGION}, the default of an earlier release, and the AWS KMS API serves ${region}`;
}

/** The remedy for such an ARN. */
export const NAME_THE_REGION = `set aws.region to ${FORMER_DEFAULT_REGION} on every node if anybody uses such an ARN; else set it to the region that you want`;

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
