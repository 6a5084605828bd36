import { type NodeConfig, type ProviderConfig, readConfig } from "../config/config.ts";
import { kmsKeyId } from "../crypto/ids.ts";
import { ClavigerError } from "../errors.ts";
import { parseJson } from "../json.ts";
import type { KeyringReader } from "../keyring/reader.ts";
import { KubeClient, LIKE_KUBECTL } from "../kube/client.ts";
import { keyRefText, nameText, type ObjectName } from "../names.ts";
import type { ApiServerStatus } from "../operator/node/decide-api-server.ts";
import { SocketScopes } from "../operator/node/socket-scopes.ts";
import { callFault, KmsClient } from "../plugin/kms-client.ts";
import { oneLine } from "../printable.ts";
import type { MasterKey } from "../resources/resources.ts";
import type { ManifestProblem } from "../store/manifests/manifest-verdicts.ts";
import { isoTime } from "../times.ts";
import { type Command, configPathOf, formatOf, OUTPUT, parseOptions } from "./command.ts";
import { apiServerOfNode, observationsOfNode } from "./site/api-server-of-node.ts";
import { type KeyState, keyState } from "./site/key-state.ts";
import { manifestsText, reportManifests } from "./site/manifests-report.ts";
import { readKeyring } from "./site/read-keyring.ts";
import { lookAtStoredData, type StoredData, type StoredDataLook, unprovenKeys } from "./site/stored-data.ts";
import { render } from "./terminal/output.ts";
import { print } from "./terminal/print.ts";
import { table } from "./terminal/table.ts";

interface ProviderReport {
  readonly name: string;
  readonly socket: string;
  readonly serves: string;
  /** "ok", or the socket's answer. */
  readonly status: string;
  readonly kmsKeyId?: string;
  /**
   * The time at which an API server last asked for Status, or at which the plugin began, if that is three
   * minutes ago or more.
   */
  readonly notAskedSince?: string;
}

/** The API server's own report about its EncryptionConfiguration. */
interface ApiServerReport {
  readonly encryptionConfig: ApiServerStatus["encryptionConfig"];
  readonly message?: string;
  readonly inStep: boolean | undefined;
}

interface KeyReport {
  readonly key: string;
  readonly keyId: string;
  readonly state: KeyState;
  readonly enabled: boolean;
  readonly deletionDate?: string;
  /** The time until which the current version's imported material may be used. */
  readonly validTo?: string;
  readonly currentVersion?: number;
  readonly kmsKeyId?: string;
  /** The leading operator's report about the data stored under the key, from the condition Reencrypted. */
  readonly storedData?: StoredData | { readonly unknown: string };
}

export const status: Command = {
  summary:
    "Show the keys in this node's keyring, the answers of its sockets, and the proofs about stored data.",
  usage: "status [--config FILE] [-o json|yaml]",
  async run(args) {
    const options = parseOptions(args, { config: { type: "string" }, output: OUTPUT });
    const format = formatOf(options.output);
    const config = readConfig(configPathOf(options.config));
    const [asked, apiServer, stored] = await Promise.all([
      Promise.all(config.providers.map(reportProvider)),
      reportApiServer(config),
      lookAtStoredData(config),
    ]);
    const providers = withSilence(asked, config);
    let keys: readonly KeyReport[] | undefined;
    let manifests: readonly ManifestProblem[] | undefined;
    try {
      keys = reportKeys(config).map((key) => withStoredData(key, stored));
      manifests = reportManifests(config);
    } finally {
      // Printed even if the keyring cannot be read, because a plugin may continue to serve from its memory.
      print(
        format
          ? render({ providers, ...(apiServer && { apiServer }), keys, manifests }, format)
          : asTables(providers, apiServer, keys) + manifestsText(manifests),
      );
    }
    mustServe(providers, apiServer);
    const unproven = unprovenKeys(stored);
    if (unproven.length > 0)
      throw new ClavigerError("NotReady", `stored data is not proven to be under ${unproven.join("; ")}`);
  },
};

/** A plugin that answers is of no use if no API server asks it. */
function mustServe(providers: readonly ProviderReport[], apiServer: ApiServerReport | undefined): void {
  const failing = providers.filter((provider) => provider.status !== "ok").map((provider) => provider.name);
  if (failing.length > 0) throw new ClavigerError("NotReady", `not serving: ${failing.join(", ")}`);
  if (apiServer?.inStep === false) throw new ClavigerError("NotReady", apiServer.message ?? "");
  const [silent] = providers.filter(({ notAskedSince }) => notAskedSince !== undefined);
  if (silent === undefined) return;
  throw new ClavigerError(
    "NotReady",
    `no API server has asked for the Status of provider ${silent.name} since ${silent.notAskedSince}: is it started with the EncryptionConfiguration that names ${silent.socket}?`,
  );
}

/** An API server that is down must not delay what is known without it. */
const API_SERVER_MILLISECONDS = 3_000;

async function reportApiServer(config: NodeConfig): Promise<ApiServerReport | undefined> {
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

/** No API server asks at a socket that the EncryptionConfiguration does not name. */
function withSilence(providers: readonly ProviderReport[], config: NodeConfig): readonly ProviderReport[] {
  const observations = observationsOfNode(config);
  const scopes = new SocketScopes(config.encryptionConfig).of(config.providers, undefined, undefined);
  return providers.map((provider) => {
    const since = observations.find((row) => row.provider === provider.name)?.notAskedSince;
    const isUnused = scopes.some(({ name, scope }) => name === provider.name && scope?.entries === 0);
    return since === undefined || isUnused ? provider : { ...provider, notAskedSince: isoTime(since) };
  });
}

async function reportProvider({ name, socket, ref }: ProviderConfig): Promise<ProviderReport> {
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

function withStoredData(key: KeyReport, stored: StoredDataLook): KeyReport {
  if (stored.kind === "unknown") return { ...key, storedData: { unknown: stored.why } };
  const storedData = stored.keys.get(key.key);
  return { ...key, ...(storedData && { storedData }) };
}

/** Returns one word: the reason, or that no leader could be asked. */
function dataText({ storedData }: KeyReport): string {
  if (storedData === undefined) return "";
  return "unknown" in storedData ? "unknown" : storedData.reason;
}

function reportKeys(config: NodeConfig): KeyReport[] {
  const now = Date.now();
  return readKeyring(config, (keyring) =>
    [...keyring.snapshot().keys.values()].map((key) => {
      const version = key.current && keyring.version(key.current.versionId);
      return {
        key: nameText(key),
        keyId: key.keyId,
        state: keyState(key, version, saidState(keyring, key), now),
        enabled: key.enabled,
        ...(key.deletionDate !== undefined && { deletionDate: key.deletionDate }),
        ...(version?.validTo !== undefined && { validTo: isoTime(version.validTo) }),
        ...(key.current && {
          currentVersion: key.current.number,
          kmsKeyId: kmsKeyId(key.keyId, key.current.versionId),
        }),
      };
    }),
  );
}

/** Standalone, the keyring also has the objects. */
function saidState(keyring: KeyringReader, name: ObjectName): NonNullable<MasterKey["status"]>["keyState"] {
  const json = keyring.object("MasterKey", name);
  if (json === undefined) return undefined;
  // The operator has validated the object.
  const object = parseJson(json, `MasterKey ${nameText(name)} in the keyring`, "KeyringCorrupt");
  return (object as MasterKey).status?.keyState;
}

function asTables(
  providers: readonly ProviderReport[],
  apiServer: ApiServerReport | undefined,
  keys: readonly KeyReport[] | undefined,
): string {
  const providerRows = providers.map((row) => [
    row.name,
    row.serves,
    row.kmsKeyId ?? "",
    row.socket,
    row.notAskedSince === undefined ? row.status : `${row.status}, not asked since ${row.notAskedSince}`,
  ]);
  const word = apiServer === undefined ? "" : `\n${apiServerText(apiServer)}\n`;
  const providersTable = table(["PROVIDER", "SERVES", "KEY_ID", "SOCKET", "STATUS"], providerRows) + word;
  if (keys === undefined) return providersTable;
  const keyRows = keys.map((row) => [
    row.key,
    row.state,
    String(row.currentVersion ?? ""),
    row.kmsKeyId ?? "",
    row.keyId,
    dataText(row),
  ]);
  return `${providersTable}\n${table(["KEY", "STATE", "VERSION", "KEY_ID", "KEYID", "DATA"], keyRows)}`;
}

const apiServerText = ({ encryptionConfig, message }: ApiServerReport): string =>
  encryptionConfig === "Loaded"
    ? "API server: it uses the EncryptionConfiguration on the disk"
    : `API server: ${oneLine(message ?? encryptionConfig ?? "", 1_000)}`;
