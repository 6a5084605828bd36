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

/**
 * Returns a text for newcomers: where the AWS KMS API is and what to paste, once the API answers and there is a
 * key; after a minute without either undefined, and so if `signal` comes before, or if there is no file of
 * credentials to paste from.
 */
export async function apiIntroduction(
  config: NodeConfig,
  api: ApiConfig,
  signal: AbortSignal,
): Promise<string | undefined> {
  const { credentials } = api;
  if (credentials === undefined) return undefined;
  const endpoint = `${api.tls === undefined ? "http" : "https"}://${api.listen}`;
  const until = performance.now() + PATIENCE_MILLISECONDS;
  while (!signal.aborted && performance.now() < until) {
    const keyName = firstKey(config, api);
    if (keyName !== undefined && (await silence(api)) === undefined)
      return textOf({ endpoint, region: config.region, credentials, keyName });
    await sleep(CHECK_MILLISECONDS, undefined, { signal }).catch(() => undefined);
  }
  return undefined;
}

/** Returns an alias of a key that encrypts, or else such a key, of the namespace that a user's bare names mean. */
function firstKey(config: NodeConfig, { namespace }: ApiConfig): string | undefined {
  try {
    return readKeyring(config, (keyring) => {
      const { keys, aliases } = keyring.snapshot();
      const usable = [...keys.values()].filter(
        (key) => key.namespace === namespace && isUsable(key) && isSymmetric(key, keyring),
      );
      const alias = [...aliases.values()].find(
        (row) => row.namespace === namespace && usable.some(({ name }) => name === row.masterKey),
      );
      return alias === undefined ? usable[0]?.keyId : `alias/${alias.name}`;
    });
  } catch {
    // The operator makes the keyring at its first start.
    return undefined;
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
