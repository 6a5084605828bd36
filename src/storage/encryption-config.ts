import { resolve } from "node:path";
import { unescape as percentDecoded } from "node:querystring";
import { MAX_YAML_BYTES } from "../bounded-yaml.ts";
import { ClavigerError, messageOf } from "../errors.ts";
import { readRegularText } from "../regular-file.ts";
import { Section } from "../yaml-section.ts";
import { goDuration } from "./go-duration.ts";
import { covers, type GroupResource, isWildcard, parseGroupResource } from "./group-resource.ts";

export { covers, type GroupResource } from "./group-resource.ts";

/** What claviger needs of a kube-apiserver's EncryptionConfiguration. The keys in the file are never kept. */
export interface EncryptionConfig {
  readonly path: string;
  readonly rules: readonly EncryptionRule[];
}

/** One entry of `resources`: the first provider writes, all of them read. */
export interface EncryptionRule {
  readonly resources: readonly string[];
  readonly providers: readonly EncryptionProvider[];
}

export type EncryptionProvider = IdentityProvider | KmsProvider | KeyProvider;

/** Stores plain. */
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

/** A provider whose keys stand in the file; the first key writes. */
export interface KeyProvider {
  readonly kind: "aescbc" | "aesgcm" | "secretbox";
  readonly keyNames: readonly string[];
}

const NOUN = "EncryptionConfiguration";
const KEY_KINDS = ["aescbc", "aesgcm", "secretbox"] as const;
const KINDS = ["identity", "kms", ...KEY_KINDS] as const;
/** The API server's default. */
const TIMEOUT_MILLISECONDS = 3_000;

/** Reads an EncryptionConfiguration. Throws ConfigInvalid naming file and field, and never what a key is. */
export function readEncryptionConfig(path: string): EncryptionConfig {
  const absolute = resolve(path);
  let text: string;
  try {
    text = readRegularText(absolute, { maxBytes: MAX_YAML_BYTES });
  } catch (cause) {
    throw new ClavigerError(
      "ConfigInvalid",
      `EncryptionConfiguration ${absolute} cannot be read: ${messageOf(cause)}; encryptionConfig must name the file that the API server uses, and claviger must be allowed to read it`,
      { cause },
    );
  }
  return parseEncryptionConfig(text, absolute);
}

/**
 * The same for text that is at hand; `path` names it. Refuses what the API server
 * refuses where claviger would read it wrongly; fields that claviger does not
 * need are let through, so that a newer API server's file is read too.
 */
export function parseEncryptionConfig(text: string, path: string): EncryptionConfig {
  const root = Section.root(text, path, NOUN);
  // The name that the documentation had by mistake is taken, too: apiserver/v1/register.go of k8s.io/apiserver.
  if (root.take("apiVersion") !== "v1" || root.take("kind") !== "EncryptionConfig") {
    root.expectText("apiVersion", "apiserver.config.k8s.io/v1");
    root.expectText("kind", "EncryptionConfiguration");
  }
  const entries = root.sections("resources");
  if (entries.length === 0) throw root.wrong("resources", "must have at least one entry");
  const rules: EncryptionRule[] = [];
  for (const entry of entries) {
    const earlier = rules.flatMap(({ resources }) => resources);
    rules.push(ruleOf(entry, earlier));
  }
  refuseSharedNames(rules, root);
  return { path, rules };
}

/**
 * The rule by which an API server stores this resource; undefined where there is
 * none and it is stored plain. The first that matches: the API server goes by the
 * more exact one, and refuses a file in which that is not the first. Where later ones
 * name the very same, their providers read too.
 */
export function ruleFor({ rules }: EncryptionConfig, resource: GroupResource): EncryptionRule | undefined {
  const pattern = rules.flatMap(({ resources }) => resources).find((one) => covers(one, resource));
  if (pattern === undefined) return undefined;
  const [first, ...others] = rules.filter(({ resources }) => resources.includes(pattern));
  if (first === undefined || others.length === 0) return first;
  return { resources: [pattern], providers: [first, ...others].flatMap(({ providers }) => providers) };
}

/** A kms provider of the file whose socket is ours. */
export interface KmsEntry {
  /** The provider's name: it is in the prefix of what etcd holds. */
  readonly name: string;
  /** Patterns of its rule. */
  readonly resources: readonly string[];
  /** Whether it encrypts what is written, for one of the resources at least; else it only reads. */
  readonly writes: boolean;
}

/**
 * The KMS v2 providers behind a socket (an absolute path). Each has a data key and
 * a poller of its own. Endpoints of the abstract namespace have no path, and are
 * never among them.
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

/** Whether a provider is a KMS v2 one behind this socket. */
export function servesSocket(provider: EncryptionProvider, socketPath: string): boolean {
  return provider.kind === "kms" && provider.apiVersion === "v2" && namesSocket(provider, socketPath);
}

/** Whether a kms provider's endpoint is this socket, whichever version of KMS it speaks. */
export function namesSocket({ endpoint }: KmsProvider, socketPath: string): boolean {
  return socketOf(endpoint) === canonical(socketPath);
}

/** A resource that an earlier rule names too is written as that rule says. */
function reigns(config: EncryptionConfig, index: number): boolean {
  const earlier = config.rules.slice(0, index).flatMap(({ resources }) => resources);
  return config.rules[index]?.resources.some((pattern) => !earlier.includes(pattern)) ?? false;
}

/** The path in an endpoint, as the API server reads it: `unix://a/b` has the host a and the path /b. */
function socketOf(endpoint: string): string | undefined {
  const url = URL.parse(endpoint);
  if (url === null || url.pathname === "" || url.pathname.startsWith("/@")) return undefined;
  return canonical(percentDecoded(url.pathname));
}

/** One text for a path with dots, and for both names of a host's folder of sockets. */
const canonical = (path: string): string => resolve(path).replace(/^\/var\/run\//, "/run/");

function ruleOf(entry: Section, earlier: readonly string[]): EncryptionRule {
  const resources = entry.texts("resources");
  if (resources.length === 0) throw entry.wrong("resources", "must have at least one entry");
  for (const pattern of resources) refusePattern(pattern, entry);
  refuseMasked(resources, earlier, entry);
  const providers = entry.sections("providers");
  if (providers.length === 0) throw entry.wrong("providers", "must have at least one entry");
  return { resources, providers: providers.map(providerOf) };
}

function refusePattern(pattern: string, entry: Section): void {
  const { group, resource } = parseGroupResource(pattern);
  const name = JSON.stringify(pattern);
  if (pattern === "*") throw entry.wrong("resources", `has ${name}: use "*." for the core group, or "*.*"`);
  if (pattern.toLowerCase() !== pattern) throw entry.wrong("resources", `has ${name}: use small letters`);
  if (group === "*" && resource !== "*")
    throw entry.wrong("resources", `has ${name}: one resource of every group is not possible`);
  if (group === "events.k8s.io") throw entry.wrong("resources", `has ${name}: use "events"`);
}

function providerOf(entry: Section): EncryptionProvider {
  const [kind, ...more] = KINDS.filter((name) => entry.take(name) !== undefined);
  if (kind === undefined || more.length > 0) {
    throw entry.wrong("", `must have exactly one of ${KINDS.join(", ")}`);
  }
  const settings = entry.section(kind);
  if (kind === "identity") return { kind };
  if (kind === "kms") return kmsOf(settings);
  const keys = settings.sections("keys");
  if (keys.length === 0) throw settings.wrong("keys", "must have at least one entry");
  return { kind, keyNames: keys.map((key) => key.text("name")) };
}

function kmsOf(settings: Section): KmsProvider {
  // v1 is what the API server takes where nothing is said.
  const apiVersion = settings.optionalText("apiVersion") ?? "v1";
  if (apiVersion !== "v1" && apiVersion !== "v2") throw settings.wrong("apiVersion", "must be v1 or v2");
  const name = settings.text("name");
  if (apiVersion === "v2" && name.includes(":")) throw settings.wrong("name", "must not have a colon");
  const endpoint = settings.text("endpoint", /^unix:/i);
  const timeout = settings.optionalText("timeout");
  const timeoutMilliseconds = timeout === undefined ? TIMEOUT_MILLISECONDS : (goDuration(timeout) ?? 0);
  if (timeoutMilliseconds <= 0) throw settings.wrong("timeout", "must be a duration such as 3s");
  return { kind: "kms", apiVersion, name, endpoint, timeoutMilliseconds };
}

/** Refuses a pattern that an earlier one leaves nothing for, as the API server does. */
function refuseMasked(patterns: readonly string[], earlier: readonly string[], entry: Section): void {
  for (const [index, pattern] of patterns.entries()) {
    const twice = patterns.indexOf(pattern) < index ? pattern : undefined;
    const others = patterns.filter((other) => other !== pattern);
    const mask = twice ?? [...others, ...earlier].find((other) => masks(other, pattern));
    if (mask === undefined) continue;
    throw entry.wrong(
      "resources",
      `has ${JSON.stringify(pattern)}, which ${JSON.stringify(mask)} covers already: put the more exact one into an earlier entry, or take it away`,
    );
  }
}

/** An equal pattern of an earlier entry masks only where it is a wildcard: for others, providers add up. */
function masks(other: string, pattern: string): boolean {
  const { group } = parseGroupResource(other);
  return isWildcard(other) && (group === "*" || group === parseGroupResource(pattern).group);
}

/** Two kms v2 providers of one name would be one in etcd. */
function refuseSharedNames(rules: readonly EncryptionRule[], root: Section): void {
  const seen = new Set<string>();
  for (const provider of rules.flatMap(({ providers }) => providers)) {
    if (provider.kind !== "kms") continue;
    if (provider.apiVersion === "v2" && seen.has(provider.name)) {
      throw root.wrong("resources", `has two kms providers with the name ${provider.name}: names are unique`);
    }
    seen.add(provider.name);
  }
}
