import { hostname } from "node:os";
import { dirname, resolve } from "node:path";
import { ClavigerError, messageOf } from "../errors.ts";
import { readOwnFile } from "../files/own-file.ts";
import { LOG_FORMATS, type LogFormat } from "../log.ts";
import type { KeyRef } from "../names.ts";
import { type AuditConfig, auditOf } from "./audit-config.ts";
import { type ApiConfig, awsOf } from "./aws-config.ts";
import { MAX_YAML_BYTES } from "./bounded-yaml.ts";
import { type ConsoleConfig, consoleOf } from "./console-config.ts";
import { DEFAULT_LIMITS, type Limits } from "./limits.ts";
import { DNS_NAME, Section } from "./yaml-section.ts";

/** A node's configuration: the places at which its parts find one another. Paths are absolute. */
export interface NodeConfig {
  readonly path: string;
  readonly nodeName: string;
  readonly stateDir: string;
  readonly seal: SealConfig;
  /** The group that may use the sockets' folder in addition to the owner. */
  readonly socketGroup?: number;
  readonly providers: readonly ProviderConfig[];
  readonly resources: ResourcesConfig;
  /**
   * A second identity, which may list and patch stored objects. The operator's own identity is used if it is
   * left out.
   */
  readonly rewriter?: RewriterConfig;
  /** The addresses of the metrics of plugin, operator and AWS KMS API, HOST:PORT. */
  readonly metrics: { readonly plugin?: string; readonly operator?: string; readonly api?: string };
  /** The operator's web page; none is served if it is left out. */
  readonly console?: ConsoleConfig;
  /** The namespace of claviger's Leases. */
  readonly leaseNamespace: string;
  /** The EncryptionConfiguration of the API server next to this node. */
  readonly encryptionConfig?: string;
  readonly etcd?: EtcdConfig;
  /** The limits of each namespace while this node's operator leads. */
  readonly limits: Limits;
  /** The format of the log's lines. */
  readonly logFormat: LogFormat;
  readonly account: string;
  readonly region: string;
  /** True if the configuration names no region. */
  readonly isRegionDefault: boolean;
  /** The AWS-compatible API; none is served if it is left out. */
  readonly api?: ApiConfig;
  /** The audit log; nothing is recorded if it is left out. */
  readonly audit?: AuditConfig;
}

/** The root key that seals this node's versions, by the provider that reaches it. The path is absolute. */
export type SealConfig = { readonly provider: "file"; readonly path: string };

export interface ProviderConfig {
  readonly name: string;
  readonly socket: string;
  readonly ref: KeyRef;
  /** True if tenants may move it to imported material, which somebody outside may know. */
  readonly allowImported?: boolean;
}

/** The etcd of the API servers, which claviger only reads. Paths are absolute. */
export interface EtcdConfig {
  /** URLs of members of a single cluster, tried in this order. */
  readonly endpoints: readonly string[];
  /** The certificate authority of the members, present if an endpoint is https. */
  readonly ca?: string;
  /** claviger's own client certificate, and its key. */
  readonly client?: { readonly cert: string; readonly key: string };
  /** The API servers' --etcd-prefix, without a slash at its end. */
  readonly prefix: string;
  /**
   * The interval at which the objects under a key_id are counted again, in milliseconds; an hour if left out.
   */
  readonly censusInterval?: number;
}

/** The identity that rewrites stored objects. The path is absolute. */
export interface RewriterConfig {
  readonly kubeconfig: string;
}

/** The place of the custom resources: a folder of manifests (standalone) or an API server. */
export type ResourcesConfig =
  | { readonly kind: "manifests"; readonly folder: string }
  | { readonly kind: "kubeconfig"; readonly path: string };

const API_VERSION = "config.claviger.dev/v1alpha1";
const MAX_LIMIT = 1_000_000;
const MAX_CENSUS_MINUTES = 10_080;
/** TLS may only be missing if nobody can listen on the connection. */
const ETCD_ENDPOINT = /^(https:\/\/[^/?#@]+|http:\/\/(127\.\d+\.\d+\.\d+|localhost|\[::1\])):\d{1,5}$/;

/**
 * Reads a NodeConfig. Relative paths start at the file's folder. Throws ConfigInvalid, which names the file
 * and the field. Also throws if another user could change the file, because it decides which sockets, keys
 * and programs are used.
 */
export function readConfig(path: string): NodeConfig {
  const absolute = resolve(path);
  try {
    return parseConfig(readOwnFile(absolute, MAX_YAML_BYTES), absolute);
  } catch (cause) {
    if (cause instanceof ClavigerError) throw cause;
    throw new ClavigerError("ConfigInvalid", `configuration ${absolute} cannot be read: ${faultOf(cause)}`, {
      cause,
    });
  }
}

/** Most people who read this have not said where their configuration is. */
const faultOf = (cause: unknown): string =>
  cause instanceof Error && "code" in cause && cause.code === "ENOENT"
    ? "there is no such file; name this node's configuration with --config FILE or CLAVIGER_CONFIG"
    : messageOf(cause);

/** Parses the text of a NodeConfig. `path` names it, and relative paths start at its folder. */
export function parseConfig(text: string, path: string): NodeConfig {
  const root = Section.root(text, path);
  root.expectText("apiVersion", API_VERSION);
  root.expectText("kind", "NodeConfig");
  const folder = dirname(path);
  const nodeName = root.optionalText("nodeName", DNS_NAME) ?? nodeNameOfHost(root);
  const stateDir = resolve(folder, root.text("stateDir"));
  const resources = resourcesOf(root, folder);
  const rewriter = rewriterOf(root.optionalSection("rewriter"), folder, resources);
  const operator = resources.kind === "kubeconfig" ? [resources.path] : [];
  const kubeconfigs = [...operator, ...(rewriter === undefined ? [] : [rewriter.kubeconfig])];
  const config = {
    path,
    nodeName,
    stateDir,
    seal: sealOf(root.section("seal"), folder),
    ...optional("socketGroup", root.optionalInteger("socketGroup")),
    providers: root.sections("providers").map((entry) => providerOf(entry, folder)),
    resources,
    ...optional("rewriter", rewriter),
    metrics: metricsOf(root.optionalSection("metrics")),
    ...optional(
      "console",
      consoleOf(root.optionalSection("console"), folder, { standalone: resources.kind === "manifests" }),
    ),
    leaseNamespace: root.optionalText("leaseNamespace", DNS_NAME) ?? "claviger-system",
    ...optional("encryptionConfig", absolute(folder, root.optionalText("encryptionConfig"))),
    ...optional("etcd", etcdOf(root.optionalSection("etcd"), folder)),
    limits: limitsOf(root.optionalSection("limits")),
    logFormat: logFormatOf(root.optionalSection("log")),
    ...awsOf(root.optionalSection("aws"), folder, kubeconfigs),
    ...optional("audit", auditOf(root.optionalSection("audit"), folder)),
  };
  root.refuseUnknown();
  refuseDuplicates(config.providers, path);
  return config;
}

function nodeNameOfHost(root: Section): string {
  const name = hostname().toLowerCase();
  if (!DNS_NAME.test(name))
    throw root.wrong("nodeName", `is needed: the host's name ${name} cannot be an object's name`);
  return name;
}

const sealOf = (section: Section, folder: string): SealConfig => ({
  provider: "file",
  path: resolve(folder, section.section("file").text("path")),
});

function providerOf(entry: Section, folder: string): ProviderConfig {
  const name = entry.text("name", /^[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$/);
  const socket = resolve(folder, entry.text("socket"));
  const key = entry.optionalObjectName("key");
  const alias = entry.optionalObjectName("alias");
  const more = optional("allowImported", entry.optionalBoolean("allowImported"));
  if (key !== undefined && alias === undefined) return { name, socket, ref: { key }, ...more };
  if (alias !== undefined && key === undefined) return { name, socket, ref: { alias }, ...more };
  throw entry.wrong("", "must have exactly one of key and alias");
}

function resourcesOf(root: Section, folder: string): ResourcesConfig {
  const manifests = root.optionalText("manifests");
  const kubeconfig = root.optionalText("kubeconfig");
  if (manifests !== undefined && kubeconfig === undefined) {
    return { kind: "manifests", folder: resolve(folder, manifests) };
  }
  if (kubeconfig !== undefined && manifests === undefined) {
    return { kind: "kubeconfig", path: resolve(folder, kubeconfig) };
  }
  throw root.wrong("", "must have exactly one of manifests and kubeconfig");
}

function rewriterOf(
  section: Section | undefined,
  folder: string,
  resources: ResourcesConfig,
): RewriterConfig | undefined {
  if (section === undefined) return undefined;
  const kubeconfig = resolve(folder, section.text("kubeconfig"));
  if (resources.kind === "manifests")
    throw section.wrong("", "goes with kubeconfig: standalone there is nothing to write again");
  if (kubeconfig === resources.path)
    throw section.wrong("kubeconfig", "must be another file than kubeconfig, of a user who may do no more");
  return { kubeconfig };
}

function metricsOf(section: Section | undefined): NodeConfig["metrics"] {
  return {
    ...optional("plugin", section?.optionalText("listen", /^.+:\d{1,5}$/)),
    ...optional("operator", section?.optionalText("operatorListen", /^.+:\d{1,5}$/)),
    ...optional("api", section?.optionalText("apiListen", /^.+:\d{1,5}$/)),
  };
}

function logFormatOf(section: Section | undefined): LogFormat {
  const text = section?.optionalText("format");
  const format = LOG_FORMATS.find((known) => known === (text ?? "text"));
  if (format !== undefined || section === undefined) return format ?? "text";
  throw section.wrong("format", `must be ${LOG_FORMATS.join(" or ")}`);
}

/** Each limit is from 1 to a million: more would be no limit. */
function limitsOf(section: Section | undefined): Limits {
  const given = Object.entries(DEFAULT_LIMITS).map(([field, fallback]) => {
    const value = section?.optionalInteger(field) ?? fallback;
    if (section !== undefined && (value < 1 || value > MAX_LIMIT)) {
      throw section.wrong(field, `must be a whole number from 1 to ${MAX_LIMIT}`);
    }
    return [field, value] as const;
  });
  return { ...DEFAULT_LIMITS, ...Object.fromEntries(given) };
}

function etcdOf(section: Section | undefined, folder: string): EtcdConfig | undefined {
  if (section === undefined) return undefined;
  const endpoints = section.texts("endpoints").map((url) => url.replace(/\/$/, ""));
  if (endpoints.length === 0) throw section.wrong("endpoints", "must have at least one URL");
  if (!endpoints.every((url) => ETCD_ENDPOINT.test(url))) {
    throw section.wrong("endpoints", "must be https://HOST:PORT each, or http://HOST:PORT on loopback");
  }
  const ca = absolute(folder, section.optionalText("ca"));
  const cert = absolute(folder, section.optionalText("cert"));
  const key = absolute(folder, section.optionalText("key"));
  if (ca === undefined && endpoints.some((url) => url.startsWith("https:"))) {
    throw section.wrong("ca", "is missing: it verifies the etcd members");
  }
  if ((cert === undefined) !== (key === undefined)) throw section.wrong("", "must have both of cert and key");
  return {
    endpoints,
    ...optional("ca", ca),
    ...(cert !== undefined && key !== undefined && { client: { cert, key } }),
    prefix: section.optionalText("prefix", /^(\/[^/]+)+$/) ?? "/registry",
    ...optional("censusInterval", censusIntervalOf(section)),
  };
}

/** At least once a week, because a count that is never repeated proves nothing. */
function censusIntervalOf(section: Section): number | undefined {
  const minutes = section.optionalInteger("censusIntervalMinutes");
  if (minutes === undefined) return undefined;
  if (minutes >= 1 && minutes <= MAX_CENSUS_MINUTES) return minutes * 60_000;
  throw section.wrong("censusIntervalMinutes", `must be a whole number from 1 to ${MAX_CENSUS_MINUTES}`);
}

function absolute(folder: string, path: string | undefined): string | undefined {
  return path === undefined ? undefined : resolve(folder, path);
}

function refuseDuplicates(providers: readonly ProviderConfig[], path: string): void {
  for (const field of ["name", "socket"] as const) {
    const values = providers.map((provider) => provider[field]);
    const twice = values.find((value, index) => values.indexOf(value) !== index);
    if (twice !== undefined) {
      throw new ClavigerError(
        "ConfigInvalid",
        `configuration ${path}: two providers have the ${field} ${twice}`,
      );
    }
  }
}

function optional<K extends string, V>(name: K, value: V | undefined): { readonly [P in K]?: V } {
  return value === undefined ? {} : ({ [name]: value } as { readonly [P in K]?: V });
}
