import { type GroupResource, groupResourceText, parseGroupResource } from "../served/group-resource.ts";
import type { DecodedConfig, DecodedKey, DecodedKms, DecodedProvider } from "./decode.ts";
import { NotGoUrl, parseGoUrl } from "./go-url.ts";

/** An error that the API server reports: the field, and its own message. */
export interface Fault {
  readonly field: string;
  readonly detail: string;
}

const AES_KEY_BYTES = [16, 24, 32];
const SECRETBOX_KEY_BYTES = [32];
const MAX_SHOWN = 100;

/**
 * Validates an EncryptionConfiguration as k8s.io/apiserver does
 * (apis/apiserver/validation/validation_encryption.go of v0.37.2), with the same messages. `reload` says if
 * the API server has --encryption-provider-config-automatic-reload.
 */
export function validateEncryptionConfig({ resources }: DecodedConfig, reload: boolean): Fault[] {
  if (resources.length === 0) return [{ field: "resources", detail: "at least one resources is required" }];
  const names = new Set<string>();
  return resources.flatMap((rule, index) => {
    const root = `resources[${index}]`;
    return [
      ...required(`${root}.resources`, rule.resources),
      ...overlaps(`${root}.resources`, rule.resources),
      ...rule.resources.flatMap((text, place) => resourceName(`${root}.resources[${place}]`, text)),
      ...required(`${root}.providers`, rule.providers),
      ...rule.providers.flatMap((provider, place) =>
        providerFaults(`${root}.providers[${place}]`, provider, names, reload),
      ),
    ];
  });
}

/**
 * Returns the first resource that an earlier entry's wildcard covers completely (config.go, "is masked by
 * earlier rule").
 */
export function maskedResource({ resources }: DecodedConfig): string | undefined {
  const seen = new Set<string>();
  for (const text of resources.flatMap((rule) => rule.resources)) {
    const resource = parseGroupResource(text);
    const wildcards = [{ group: resource.group, resource: "*" }, EVERYTHING].map(groupResourceText);
    const mask = wildcards.find((wildcard) => seen.has(wildcard));
    if (mask !== undefined)
      return `resource ${shown(groupResourceText(resource))} is masked by earlier rule ${shown(mask)}`;
    seen.add(groupResourceText(resource));
  }
  return undefined;
}

const EVERYTHING: GroupResource = { group: "*", resource: "*" };

const required = (field: string, list: readonly unknown[]): Fault[] =>
  list.length > 0 ? [] : [{ field, detail: `at least one ${field} is required` }];

function overlaps(field: string, texts: readonly string[]): Fault[] {
  const resources = texts.map(parseGroupResource);
  const keys = new Set(resources.map(groupResourceText));
  const wildcard = resources.some(
    ({ group, resource }, index) =>
      resource === "*" &&
      resources.some((other, place) => place !== index && (group === "*" || other.group === group)),
  );
  return [
    ...(keys.size < texts.length
      ? [{ field, detail: "the same resource cannot be specified multiple times" }]
      : []),
    // The same wildcard twice is only reported as a duplicate.
    ...(wildcard && keys.size > 1
      ? [
          {
            field,
            detail:
              "using overlapping resources such as 'secrets' and '*.' in the same resource list is not allowed as they will be masked",
          },
        ]
      : []),
  ];
}

const WITHOUT_API = new Set(["apiserveripinfo", "serviceipallocations", "servicenodeportallocations"]);

function resourceName(field: string, text: string): Fault[] {
  const detail = resourceFault(text, parseGroupResource(text));
  return detail === undefined ? [] : [{ field, detail }];
}

function resourceFault(text: string, { group, resource }: GroupResource): string | undefined {
  if (text.toLowerCase() !== text) return "resource name should not contain capital letters";
  if (text === "*")
    return "use '*.' to encrypt all the resources from core API group or *.* to encrypt all resources";
  if (WITHOUT_API.has(text)) return "resources which do not have REST API/s cannot be encrypted";
  if (group === "events.k8s.io")
    return "'*.events.k8s.io' objects are stored using the 'events' API group in etcd. Use 'events' instead in the config file";
  if (group === "extensions") return "'extensions' group has been removed and cannot be used for encryption";
  if (group === "*" && resource !== "*") return "encrypting the same resource across groups is not supported";
  return undefined;
}

function providerFaults(
  field: string,
  provider: DecodedProvider,
  names: Set<string>,
  reload: boolean,
): Fault[] {
  const { kms, aesgcm, aescbc, secretbox } = provider;
  const count = Object.keys(provider).length;
  const faults: Fault[] = [];
  if (count === 0)
    faults.push({
      field,
      detail:
        "provider does not contain any of the expected providers: KMS, AESGCM, AESCBC, Secretbox, Identity",
    });
  if (count > 1)
    faults.push({
      field,
      detail:
        "more than one provider specified in a single element, should split into different list elements",
    });
  // Only the first of these is reported, in this order: validation stops at it.
  if (kms !== undefined) {
    faults.push(...kmsFaults(`${field}.kms`, kms, names, reload));
    names.add(kms.name);
  } else if (aesgcm !== undefined) faults.push(...keyFaults(`${field}.aesgcm.keys`, aesgcm, AES_KEY_BYTES));
  else if (aescbc !== undefined) faults.push(...keyFaults(`${field}.aescbc.keys`, aescbc, AES_KEY_BYTES));
  else if (secretbox !== undefined)
    faults.push(...keyFaults(`${field}.secretbox.keys`, secretbox, SECRETBOX_KEY_BYTES));
  return faults;
}

function keyFaults(field: string, keys: readonly DecodedKey[], sizes: readonly number[]): Fault[] {
  if (keys.length === 0) return [{ field, detail: "at least one keys is required" }];
  return keys.flatMap(({ name, secret }, index) => {
    const faults: Fault[] = [];
    if (name === "")
      faults.push({ field: `${field}[${index}].name`, detail: "name is a mandatory field for a key" });
    const wrong = secretFault(secret, sizes);
    if (wrong !== undefined) faults.push({ field: `${field}[${index}].secret`, detail: wrong });
    return faults;
  });
}

function secretFault(secret: DecodedKey["secret"], sizes: readonly number[]): string | undefined {
  if (secret === "missing") return "secret is a mandatory field for a key";
  if (secret === "not base64") return "secrets must be base64 encoded";
  if (sizes.includes(secret)) return undefined;
  return `secret is not of the expected length, got ${secret}, expected one of [${sizes.join(" ")}]`;
}

function kmsFaults(path: string, kms: DecodedKms, names: ReadonlySet<string>, reload: boolean): Fault[] {
  const { apiVersion, name, nanoseconds, endpoint, cacheSize } = kms;
  const isV1 = apiVersion === "v1";
  const faults: Fault[] = [];
  const wrong = (field: string, detail: string) => faults.push({ field: `${path}.${field}`, detail });
  if (name === "") wrong("name", "name is a mandatory field for a provider");
  if (!isV1 && name.includes(":"))
    wrong("name", `invalid KMS provider name ${plain(name)}, must not contain ':'`);
  if ((reload || !isV1) && names.has(name))
    wrong("name", `duplicate KMS provider name ${plain(name)}, names must be unique`);
  if (nanoseconds <= 0n) wrong("timeout", "timeout should be a positive value");
  const address = endpointFault(endpoint);
  if (address !== undefined) wrong("endpoint", address);
  if (!isV1 && cacheSize !== undefined) wrong("cachesize", "cachesize is not supported in v2");
  if (isV1 && cacheSize === 0)
    wrong("cachesize", "cachesize should be a positive value, or negative to disable");
  // The API server quotes the field here, not its value.
  if (!isV1 && apiVersion !== "v2")
    wrong("apiVersion", "unsupported apiVersion apiVersion for KMS provider, only v1 and v2 are supported");
  return faults;
}

function endpointFault(endpoint: string): string | undefined {
  if (endpoint === "") return "endpoint is a mandatory field for a kms";
  try {
    const { scheme } = parseGoUrl(endpoint);
    if (scheme === "unix") return undefined;
    return `unsupported scheme ${shown(scheme)} for KMS provider, only unix is supported`;
  } catch (error) {
    if (!(error instanceof NotGoUrl)) throw error;
    return `invalid endpoint for kms provider, error: parse: ${error.message}`;
  }
}

/** Quotes a text of the file for a message, whatever the text contains, and shortens it. */
const shown = (text: string): string =>
  JSON.stringify(text.length > MAX_SHOWN ? `${text.slice(0, MAX_SHOWN)}…` : text);

/** Returns the same without the quotes, as the API server prints names. */
const plain = (text: string): string => shown(text).slice(1, -1);
