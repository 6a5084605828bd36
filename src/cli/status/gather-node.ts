import type { NodeConfig, ProviderConfig } from "../../config/config.ts";
import { kmsKeyId } from "../../crypto/ids.ts";
import { parseJson } from "../../json.ts";
import type { KeyringReader } from "../../keyring/reader.ts";
import type { KeyRow } from "../../keyring/rows.ts";
import { KubeClient, LIKE_KUBECTL } from "../../kube/client.ts";
import { keyRefText, nameText, type ObjectName } from "../../names.ts";
import { type ScopedProvider, SocketScopes } from "../../operator/node/socket-scopes.ts";
import type { MasterKey } from "../../resources/resources.ts";
import { isoTime } from "../../times.ts";
import { apiServerOfNode, observationsOfNode } from "../site/api-server-of-node.ts";
import { keyState } from "../site/key-state.ts";
import { readKeyring } from "../site/read-keyring.ts";
import type { ApiServerReport, KeyReport, ProviderReport } from "./report.ts";

/** An API server that is down must not delay what is known without it. */
const API_SERVER_MILLISECONDS = 3_000;

/** Asks this node's API server which EncryptionConfiguration it uses. */
export async function reportApiServer(config: NodeConfig): Promise<ApiServerReport | undefined> {
  if (config.resources.kind !== "kubeconfig" || config.encryptionConfig === undefined) return undefined;
  const client = new KubeClient(config.resources.path, LIKE_KUBECTL);
  const deadline = new AbortController();
  const timer = setTimeout(
    () => deadline.abort(new Error(`no answer in ${API_SERVER_MILLISECONDS / 1000} s`)),
    API_SERVER_MILLISECONDS,
  );
  try {
    const { status: said, finding } = await apiServerOfNode(config, client, deadline.signal);
    const { encryptionConfig, message } = said;
    const inStep = finding === undefined ? true : finding.status === "False" ? false : undefined;
    return { encryptionConfig, inStep, ...(message !== undefined && { message }) };
  } finally {
    clearTimeout(timer);
    client.close();
  }
}

/** Asks each socket of this node for Status, and adds what its API server stores through it. */
export async function reportProviders(config: NodeConfig): Promise<ProviderReport[]> {
  const asked = await Promise.all(config.providers.map(reportProvider));
  const observations = observationsOfNode(config);
  const scopes = new SocketScopes(config.encryptionConfig).of(config.providers, undefined, undefined);
  return asked.map((provider) => {
    const scope = scopes.find(({ name }) => name === provider.name)?.scope;
    const since = observations.find((row) => row.provider === provider.name)?.notAskedSince;
    return {
      ...provider,
      ...(scope !== undefined && { encrypts: scope.resources }),
      ...(since !== undefined && !isUnused(scope) && { notAskedSince: isoTime(since) }),
    };
  });
}

/** No API server asks at a socket that the EncryptionConfiguration does not name. */
const isUnused = (scope: ScopedProvider["scope"]): boolean => scope?.entries === 0;

/** Asks a socket of this node for Status, and nobody else. */
export async function reportProvider({ name, socket, ref }: ProviderConfig): Promise<ProviderReport> {
  const { callFault, KmsClient } = await import("../../plugin/kms-client.ts");
  const client = new KmsClient(socket);
  const report = { name, socket, serves: keyRefText(ref) };
  try {
    const { healthz, keyId } = await client.status();
    return { ...report, status: healthz, kmsKeyId: keyId };
  } catch (error) {
    return { ...report, status: callFault(error) };
  } finally {
    client.close();
  }
}

/** Reads the keys in this node's keyring, in the order of their names. Throws NotReady, KeyringUnavailable or KeyringCorrupt. */
export function reportKeys(config: NodeConfig): KeyReport[] {
  const now = Date.now();
  return readKeyring(config, (keyring) =>
    byName(keyring.snapshot().keys).map((key) => {
      const version = key.current && keyring.version(key.current.versionId);
      const { keyState: said, rotation } = statusInKeyring(keyring, key) ?? {};
      return {
        key: nameText(key),
        keyId: key.keyId,
        state: keyState(key, version, said, now),
        enabled: key.enabled,
        ...(version !== undefined && { keySpec: version.keySpec }),
        ...(key.deletionDate !== undefined && { deletionDate: key.deletionDate }),
        ...(version?.validTo !== undefined && { validTo: isoTime(version.validTo) }),
        ...(key.current && {
          currentVersion: key.current.number,
          kmsKeyId: kmsKeyId(key.keyId, key.current.versionId),
        }),
        ...(rotation?.nextRotationTime !== undefined && { nextRotation: rotation.nextRotationTime }),
      };
    }),
  );
}

/** The keyring has its rows in the order in which the keys came. */
const byName = (keys: ReadonlyMap<string, KeyRow>): KeyRow[] =>
  [...keys].toSorted(([a], [b]) => (a < b ? -1 : 1)).map(([, key]) => key);

/** Standalone, the keyring also has the objects. */
function statusInKeyring(keyring: KeyringReader, name: ObjectName): MasterKey["status"] {
  const json = keyring.object("MasterKey", name);
  if (json === undefined) return undefined;
  // The operator has validated the object.
  const object = parseJson(json, `MasterKey ${nameText(name)} in the keyring`, "KeyringCorrupt");
  return (object as MasterKey).status;
}
