import { setTimeout as sleep } from "node:timers/promises";
import type { ApiConfig } from "../../config/aws-config.ts";
import type { NodeConfig } from "../../config/config.ts";
import type { KeyringReader } from "../../keyring/reader.ts";
import type { KeyRow } from "../../keyring/rows.ts";
import { silence } from "../site/api-readiness.ts";
import { readKeyring } from "../site/read-keyring.ts";
import { type ApiSite, apiRoundTrip } from "./api-round-trip.ts";

const CHECK_MILLISECONDS = 500;
/** A cluster may have no key for applications for months. */
const PATIENCE_MILLISECONDS = 60_000;
/** A new key's alias is recorded after the key. */
const ALIAS_PATIENCE_MILLISECONDS = 5_000;

/**
 * Returns a text for newcomers: where the AWS KMS API is and what to paste, once the API answers and there is a
 * key; after a minute without either undefined, and so if `signal` comes before, or if there is no file of
 * credentials to paste from. The key is named by its alias, or by its id if `aliasPatience` milliseconds after the
 * key no alias has come.
 */
export async function apiIntroduction(
  config: NodeConfig,
  api: ApiConfig,
  signal: AbortSignal,
  aliasPatience = ALIAS_PATIENCE_MILLISECONDS,
): Promise<string | undefined> {
  const { credentials } = api;
  if (credentials === undefined) return undefined;
  const endpoint = `${api.tls === undefined ? "http" : "https"}://${api.listen}`;
  const until = performance.now() + PATIENCE_MILLISECONDS;
  let keySince: number | undefined;
  while (!signal.aborted && performance.now() < until) {
    const { alias, keyId } = firstKey(config, api);
    if (keyId !== undefined) keySince ??= performance.now();
    const waited = keySince === undefined ? 0 : performance.now() - keySince;
    const keyName = alias ?? (waited >= aliasPatience ? keyId : undefined);
    if (keyName !== undefined && (await silence(api)) === undefined)
      return textOf({ endpoint, region: config.region, credentials, keyName });
    await sleep(CHECK_MILLISECONDS, undefined, { signal }).catch(() => undefined);
  }
  return undefined;
}

/** Names of a key that encrypts, of the namespace that a user's bare names mean. */
interface FirstKey {
  readonly alias?: string;
  readonly keyId?: string;
}

/** Returns an alias of such a key if there is one, and the id of such a key if there is one. */
function firstKey(config: NodeConfig, { namespace }: ApiConfig): FirstKey {
  try {
    return readKeyring(config, (keyring) => {
      const { keys, aliases } = keyring.snapshot();
      const usable = [...keys.values()].filter(
        (key) => key.namespace === namespace && isUsable(key) && isSymmetric(key, keyring),
      );
      const alias = [...aliases.values()].find(
        (row) => row.namespace === namespace && usable.some(({ name }) => name === row.masterKey),
      );
      const keyId = usable[0]?.keyId;
      return { ...(alias && { alias: `alias/${alias.name}` }), ...(keyId !== undefined && { keyId }) };
    });
  } catch {
    // The operator makes the keyring at its first start.
    return {};
  }
}

const isUsable = ({ enabled, current, deletionDate }: KeyRow): boolean =>
  enabled && current !== undefined && deletionDate === undefined;

/** Other keys do not encrypt with the command that is printed. */
const isSymmetric = ({ current }: KeyRow, keyring: KeyringReader): boolean =>
  current !== undefined && keyring.version(current.versionId)?.keySpec === "SYMMETRIC_DEFAULT";

async function textOf(site: ApiSite): Promise<string> {
  const { endpoint, region, credentials, keyName } = site;
  return `
claviger serves the AWS KMS API
  endpoint     ${endpoint}
  region       ${region}
  credentials  ${credentials}
  round trip   ${await apiRoundTrip(site)}

For the AWS SDKs and the aws CLI:

  export AWS_ENDPOINT_URL_KMS=${endpoint} AWS_REGION=${region} AWS_DEFAULT_REGION=${region}
  export AWS_ACCESS_KEY_ID=$(awk '/accessKeyId:/ { print $NF; exit }' '${credentials}')
  export AWS_SECRET_ACCESS_KEY=$(awk '/secretAccessKey:/ { print $NF; exit }' '${credentials}')
  aws kms encrypt --key-id ${keyName} --plaintext fileb://<(printf hello)
`;
}
