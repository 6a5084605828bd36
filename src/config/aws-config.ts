import { resolve } from "node:path";
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
  readonly credentials: string;
}

/** No real region: a client that forgot its endpoint finds no host, and sends no signature to AWS. */
const DEFAULT_REGION = "us-local-1";
const DEFAULT_ACCOUNT = "000000000000";
const MOST_WORKERS = 64;
/** Fields that mean nothing if the API is not served. */
const OF_API = ["workers", "namespace", "tls", "credentials"];

/** Reads the section `aws`. Throws ConfigInvalid. */
export function awsOf(section: Section | undefined, folder: string): AwsConfig {
  const region = section?.optionalText("region", /^([a-z]+-){2,3}\d+$/);
  const api = section && apiOf(section, folder);
  return {
    account: section?.optionalText("account", /^\d{12}$/) ?? DEFAULT_ACCOUNT,
    region: region ?? DEFAULT_REGION,
    isRegionDefault: region === undefined,
    ...(api !== undefined && { api }),
  };
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
  return {
    ...listenOf(section, folder, "plaintext keys travel through it"),
    ...(workers !== undefined && { workers }),
    namespace: section.optionalText("namespace", DNS_NAME) ?? "default",
    credentials: resolve(folder, section.text("credentials")),
  };
}
