import { resolve } from "node:path";
import { MAX_YAML_BYTES } from "../../config/bounded-yaml.ts";
import { ClavigerError, messageOf } from "../../errors.ts";
import { readRegularFile } from "../../files/regular-file.ts";
import { readGoConfig } from "../../go/go-config.ts";
import type { GoObject } from "../../go/go-json.ts";
import {
  covers,
  type GroupResource,
  groupResourceText,
  parseGroupResource,
} from "../served/group-resource.ts";
import {
  type DecodedConfig,
  type DecodedKey,
  type DecodedKms,
  type DecodedProvider,
  type DecodedRule,
  decodeEncryptionConfig,
  Undecodable,
} from "./decode.ts";
import { parseGoUrl } from "./go-url.ts";
import { maskedResource, validateEncryptionConfig } from "./validate.ts";

export { covers, type GroupResource } from "../served/group-resource.ts";

/**
 * The parts of a kube-apiserver's EncryptionConfiguration that claviger needs. The keys in the file are never
 * kept.
 */
export interface EncryptionConfig {
  readonly path: string;
  readonly rules: readonly EncryptionRule[];
  /**
   * The reason why an API server with automatic reload refuses the file, although an API server without it
   * accepts it.
   */
  readonly refusedOnReload?: string;
}

/** One entry of `resources`. Its first provider writes, and all of them read. */
export interface EncryptionRule {
  readonly resources: readonly string[];
  readonly providers: readonly EncryptionProvider[];
}

export type EncryptionProvider = IdentityProvider | KmsProvider | KeyProvider;

/** Stores plain data. */
export interface IdentityProvider {
  readonly kind: "identity";
}

export interface KmsProvider {
  readonly kind: "kms";
  readonly apiVersion: "v1" | "v2";
  readonly name: string;
  readonly endpoint: string;
  readonly timeoutMilliseconds: number;
}

/** A provider whose keys are in the file. The first key writes. */
export interface KeyProvider {
  readonly kind: "aescbc" | "aesgcm" | "secretbox";
  readonly keyNames: readonly string[];
}

const NOUN = "EncryptionConfiguration";
const API_VERSION = "apiserver.config.k8s.io/v1";

/**
 * Reads an EncryptionConfiguration. Throws ConfigInvalid, which names the file and the field and never quotes
 * a key.
 */
export function readEncryptionConfig(path: string): EncryptionConfig {
  const absolute = resolve(path);
  let bytes: Buffer;
  try {
    bytes = readRegularFile(absolute, { maxBytes: MAX_YAML_BYTES });
  } catch (cause) {
    throw new ClavigerError(
      "ConfigInvalid",
      `EncryptionConfiguration ${absolute} cannot be read: ${messageOf(cause)}; encryptionConfig must name the file that the API server uses, and claviger must be allowed to read it`,
      { cause },
    );
  }
  return parseEncryptionConfig(bytes, absolute);
}

/**
 * Parses the bytes of the file `path`. Refuses whatever the API server's own loader refuses
 * (encryptionconfig.LoadEncryptionConfig of k8s.io/apiserver), with the same message; docs/operations/encryption-configuration.md
 * lists what else is refused. Throws ConfigInvalid.
 */
export function parseEncryptionConfig(source: Buffer | string, path: string): EncryptionConfig {
  const what = `${NOUN} ${path}`;
  const refuse = (reason: string): never => {
    throw new ClavigerError("ConfigInvalid", `${what}: ${reason}`);
  };
  const decoded = decodedFrom(readGoConfig(source, what), refuse);
  const [fault] = validateEncryptionConfig(decoded, false);
  if (fault !== undefined) refuse(`${fault.field}: ${fault.detail}`);
  const masked = maskedResource(decoded);
  if (masked !== undefined) refuse(masked);
  const [onReload] = validateEncryptionConfig(decoded, true);
  return {
    path,
    rules: decoded.resources.map(ruleOf),
    ...(onReload && { refusedOnReload: `${onReload.field}: ${onReload.detail}` }),
  };
}

type Refuse = (reason: string) => never;

function decodedFrom(value: GoObject, refuse: Refuse): DecodedConfig {
  mustBeOurKind(value, refuse);
  try {
    return decodeEncryptionConfig(value);
  } catch (error) {
    if (error instanceof Undecodable) return refuse(error.message);
    throw error;
  }
}

function mustBeOurKind({ apiVersion, kind }: GoObject, refuse: Refuse): void {
  // The API server also accepts this name, which its documentation once had by mistake:
  // apiserver/v1/register.go of k8s.io/apiserver.
  if (apiVersion === "v1" && kind === "EncryptionConfig") return;
  if (apiVersion !== API_VERSION) refuse(`apiVersion must be ${API_VERSION}`);
  if (kind !== NOUN) refuse(`kind must be ${NOUN}`);
}

/** Writes every pattern in its shortest spelling: `secrets.` becomes `secrets`. */
const ruleOf = ({ resources, providers }: DecodedRule): EncryptionRule => ({
  resources: resources.map((text) => groupResourceText(parseGroupResource(text))),
  providers: providers.map(providerOf),
});

/** Validation guarantees exactly one of them. */
function providerOf({ kms, aesgcm, aescbc, secretbox }: DecodedProvider): EncryptionProvider {
  if (kms !== undefined) return kmsOf(kms);
  const names = (keys: readonly DecodedKey[]) => keys.map(({ name }) => name);
  if (aesgcm !== undefined) return { kind: "aesgcm", keyNames: names(aesgcm) };
  if (aescbc !== undefined) return { kind: "aescbc", keyNames: names(aescbc) };
  if (secretbox !== undefined) return { kind: "secretbox", keyNames: names(secretbox) };
  return { kind: "identity" };
}

const kmsOf = ({ apiVersion, name, endpoint, nanoseconds }: DecodedKms): KmsProvider => ({
  kind: "kms",
  apiVersion: apiVersion === "v2" ? "v2" : "v1",
  name,
  endpoint,
  timeoutMilliseconds: Number(nanoseconds) / 1e6,
});

/**
 * Returns the rule by which an API server stores this resource, or undefined if no rule matches and the
 * resource is stored plain. The first match decides: the API server uses the most exact rule, and refuses a
 * file in which that is not the first. If later rules name the very same pattern, their providers read too.
 */
export function ruleFor({ rules }: EncryptionConfig, resource: GroupResource): EncryptionRule | undefined {
  const pattern = rules.flatMap(({ resources }) => resources).find((one) => covers(one, resource));
  if (pattern === undefined) return undefined;
  const [first, ...others] = rules.filter(({ resources }) => resources.includes(pattern));
  if (first === undefined || others.length === 0) return first;
  return { resources: [pattern], providers: [first, ...others].flatMap(({ providers }) => providers) };
}

/** A kms provider of the file whose socket is one of ours. */
export interface KmsEntry {
  /** The provider's name, which is in the prefix of its values in etcd. */
  readonly name: string;
  /** The patterns of its rule. */
  readonly resources: readonly string[];
  /** True if it encrypts writes for at least one of the resources; otherwise it only reads. */
  readonly writes: boolean;
}

/**
 * Returns the KMS v2 providers behind a socket (an absolute path). Each has its own data key and poller. An
 * endpoint of the abstract namespace has no path, so it never matches.
 */
export function kmsEntries(config: EncryptionConfig, socketPath: string): readonly KmsEntry[] {
  return config.rules.flatMap((rule, index) =>
    rule.providers.flatMap((provider, place) => {
      if (provider.kind !== "kms" || !servesSocket(provider, socketPath)) return [];
      const { resources } = rule;
      return [{ name: provider.name, resources, writes: place === 0 && reigns(config, index) }];
    }),
  );
}

/** Returns true if the provider is a KMS v2 provider behind this socket. */
export function servesSocket(provider: EncryptionProvider, socketPath: string): boolean {
  return provider.kind === "kms" && provider.apiVersion === "v2" && namesSocket(provider, socketPath);
}

/** Returns true if the endpoint of a kms provider is this socket, whichever version of KMS it speaks. */
export function namesSocket({ endpoint }: KmsProvider, socketPath: string): boolean {
  return socketOf(endpoint) === canonical(socketPath);
}

/** If an earlier rule names the resource too, that rule decides how it is written. */
function reigns(config: EncryptionConfig, index: number): boolean {
  const earlier = config.rules.slice(0, index).flatMap(({ resources }) => resources);
  return config.rules[index]?.resources.some((pattern) => !earlier.includes(pattern)) ?? false;
}

/**
 * Returns the path in an endpoint as the API server reads it: `unix://a/b` has the host a and the path /b.
 */
function socketOf(endpoint: string): string | undefined {
  const { path } = parseGoUrl(endpoint);
  return path === "" || path.startsWith("/@") ? undefined : canonical(path);
}

/** Normalizes a path with dots, and both names of the host's folder of sockets. */
const canonical = (path: string): string => resolve(path).replace(/^\/var\/run\//, "/run/");
