import { resolve } from "node:path";
import type { ObjectName } from "../names.ts";
import { type ListenConfig, listenOf } from "./listen.ts";
import { DNS_NAME, type Section } from "./yaml-section.ts";

/** The account and region of this node's keys, and the AWS-compatible API if it is served. */
export interface AwsConfig {
  readonly account: string;
  readonly region: string;
  /** True if the configuration names no region. */
  readonly isRegionDefault: boolean;
  readonly api?: ApiConfig;
}

/** The AWS-compatible API. Paths are absolute. */
export interface ApiConfig extends ListenConfig {
  /** The number of processes that answer; the number of processors, at most four, if left out. */
  readonly workers?: number;
  /** The namespace of callers that are no ServiceAccounts. */
  readonly namespace: string;
  /** The file of static credentials. */
  readonly credentials?: string;
  /** The kubeconfig of the API's own user, with which it asks the API server who may do what. */
  readonly kubeconfig?: string;
  readonly sessions?: SessionsConfig;
}

/** Temporary credentials for ServiceAccounts. */
export interface SessionsConfig {
  /** The MasterKey that seals them. */
  readonly key: ObjectName;
  /** The audience of the tokens that are exchanged for them. */
  readonly audience: string;
}

/** No real region: a client that forgot its endpoint finds no host, and sends no signature to AWS. */
const DEFAULT_REGION = "us-local-1";
export const DEFAULT_ACCOUNT = "000000000000";
const MOST_WORKERS = 64;
const AUDIENCE = /^[\x21-\x7e]{1,253}$/;
/** Fields that mean nothing if the API is not served. */
const OF_API = ["workers", "namespace", "tls", "credentials", "kubeconfig", "sessions"];
/** No other service accepts a token that was made for this audience. */
export const DEFAULT_AUDIENCE = "kms.claviger.dev";

/**
 * Reads the section `aws`. `kubeconfigs` are those of the node's other users, none if there is no API server. Throws
 * ConfigInvalid.
 */
export function awsOf(
  section: Section | undefined,
  folder: string,
  kubeconfigs: readonly string[],
): AwsConfig {
  const region = section?.optionalText("region", /^([a-z]+-){2,3}\d+$/);
  const api = section && apiOf(section, folder);
  if (api?.kubeconfig !== undefined) refuseOthers(section, api.kubeconfig, kubeconfigs);
  return {
    account: section?.optionalText("account", /^\d{12}$/) ?? DEFAULT_ACCOUNT,
    region: region ?? DEFAULT_REGION,
    isRegionDefault: region === undefined,
    ...(api !== undefined && { api }),
  };
}

/** Whoever breaks into the API, which applications reach, must not have an operator's rights. */
function refuseOthers(section: Section | undefined, own: string, others: readonly string[]): void {
  if (others.length === 0)
    throw section?.wrong("kubeconfig", "goes with kubeconfig: standalone there is no API server to ask");
  if (others.includes(own))
    throw section?.wrong("kubeconfig", "must be a file of its own, of a user in the group claviger:api");
}

function apiOf(section: Section, folder: string): ApiConfig | undefined {
  if (section.take("listen") === undefined) {
    const stray = OF_API.find((field) => section.take(field) !== undefined);
    if (stray !== undefined) throw section.wrong(stray, "goes with aws.listen: without it there is no API");
    return undefined;
  }
  const workers = section.optionalInteger("workers");
  if (workers !== undefined && (workers < 1 || workers > MOST_WORKERS))
    throw section.wrong("workers", `must be a whole number from 1 to ${MOST_WORKERS}`);
  const identity = identityOf(section, folder);
  return {
    ...listenOf(section, folder, "plaintext keys travel through it"),
    ...(workers !== undefined && { workers }),
    namespace: section.optionalText("namespace", DNS_NAME) ?? "default",
    ...identity,
  };
}

/** Reads the sources of credentials, of which there must be at least one. */
function identityOf(
  section: Section,
  folder: string,
): Pick<ApiConfig, "credentials" | "kubeconfig" | "sessions"> {
  const kubeconfig = section.optionalText("kubeconfig");
  const sessions = sessionsOf(section.optionalSection("sessions"));
  if (sessions !== undefined && kubeconfig === undefined)
    throw section.wrong("sessions", "goes with aws.kubeconfig: the API server is asked whose token it is");
  const credentials =
    sessions === undefined ? section.text("credentials") : section.optionalText("credentials");
  return {
    ...(credentials !== undefined && { credentials: resolve(folder, credentials) }),
    ...(kubeconfig !== undefined && { kubeconfig: resolve(folder, kubeconfig) }),
    ...(sessions !== undefined && { sessions }),
  };
}

function sessionsOf(section: Section | undefined): SessionsConfig | undefined {
  if (section === undefined) return undefined;
  const key = section.optionalObjectName("key");
  if (key === undefined) throw section.wrong("key", "is missing");
  return { key, audience: section.optionalText("audience", AUDIENCE) ?? DEFAULT_AUDIENCE };
}
