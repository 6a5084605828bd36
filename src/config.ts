import { readFileSync } from "node:fs";
import { hostname } from "node:os";
import { dirname, resolve } from "node:path";
import { parseAllDocuments } from "yaml";
import { ClavigerError, messageOf } from "./errors.ts";
import type { KeyRef } from "./keyring/live-keyring.ts";
import type { ObjectName } from "./keyring/rows.ts";

/** Where a node's parts find one another. Paths are absolute. */
export interface NodeConfig {
  readonly path: string;
  readonly nodeName: string;
  readonly stateDir: string;
  readonly rootKeyPath: string;
  /** The group that may use the sockets' folder besides the owner. */
  readonly socketGroup?: number;
  readonly providers: readonly ProviderConfig[];
  readonly resources: ResourcesConfig;
  /** Where the plugin's and the operator's metrics are served, HOST:PORT. */
  readonly metrics: { readonly plugin?: string; readonly operator?: string };
  /** The namespace of claviger's Leases. */
  readonly leaseNamespace: string;
  readonly account: string;
  readonly region: string;
  /** Things in the file that this release does not do; said at start. */
  readonly warnings: readonly string[];
}

export interface ProviderConfig {
  readonly name: string;
  readonly socket: string;
  readonly ref: KeyRef;
}

/** Where the custom resources are: a folder of manifests (standalone) or an API server. */
export type ResourcesConfig =
  | { readonly kind: "manifests"; readonly folder: string }
  | { readonly kind: "kubeconfig"; readonly path: string };

const API_VERSION = "config.claviger.dev/v1alpha1";
const LATER = ["encryptionConfig", "etcd", "audit"];
const DNS_NAME = /^[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?$/;

/** Reads a NodeConfig. Relative paths start at the file's folder. Throws ConfigInvalid naming file and field. */
export function readConfig(path: string): NodeConfig {
  const absolute = resolve(path);
  try {
    return parseConfig(readFileSync(absolute, "utf8"), absolute);
  } catch (cause) {
    if (cause instanceof ClavigerError) throw cause;
    throw new ClavigerError(
      "ConfigInvalid",
      `configuration ${absolute} cannot be read: ${messageOf(cause)}`,
      { cause },
    );
  }
}

/** The same for text that is at hand; `path` names it and is where relative paths start. */
export function parseConfig(text: string, path: string): NodeConfig {
  const root = Section.root(text, path);
  root.expectText("apiVersion", API_VERSION);
  root.expectText("kind", "NodeConfig");
  const folder = dirname(path);
  const aws = root.optionalSection("aws");
  const config = {
    path,
    nodeName: root.optionalText("nodeName", DNS_NAME) ?? hostname().toLowerCase(),
    stateDir: resolve(folder, root.text("stateDir")),
    rootKeyPath: resolve(folder, root.section("seal").section("file").text("path")),
    ...optional("socketGroup", root.optionalInteger("socketGroup")),
    providers: root.sections("providers").map((entry) => providerOf(entry, folder)),
    resources: resourcesOf(root, folder),
    metrics: metricsOf(root.optionalSection("metrics")),
    leaseNamespace: root.optionalText("leaseNamespace", DNS_NAME) ?? "claviger-system",
    account: aws?.optionalText("account", /^\d{12}$/) ?? "000000000000",
    region: aws?.optionalText("region", /^([a-z]+-){2,3}\d+$/) ?? "local-cluster-1",
    warnings: warningsOf(root, aws),
  };
  root.refuseUnknown();
  refuseDuplicates(config.providers, path);
  return config;
}

function providerOf(entry: Section, folder: string): ProviderConfig {
  const name = entry.text("name", /^[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$/);
  const socket = resolve(folder, entry.text("socket"));
  const key = entry.optionalObjectName("key");
  const alias = entry.optionalObjectName("alias");
  if (key !== undefined && alias === undefined) return { name, socket, ref: { key } };
  if (alias !== undefined && key === undefined) return { name, socket, ref: { alias } };
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

function metricsOf(section: Section | undefined): NodeConfig["metrics"] {
  return {
    ...optional("plugin", section?.optionalText("listen", /^.+:\d{1,5}$/)),
    ...optional("operator", section?.optionalText("operatorListen", /^.+:\d{1,5}$/)),
  };
}

function warningsOf(root: Section, aws: Section | undefined): string[] {
  const present = LATER.filter((field) => root.take(field) !== undefined);
  const awsDoor = ["listen", "tls", "credentials"].filter((field) => aws?.take(field) !== undefined);
  return [...present, ...awsDoor.map((field) => `aws.${field}`)].map(
    (field) => `${field} is configured and this release does not use it`,
  );
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

/** A mapping of the file, which remembers what was asked for, so that a misspelt field is an error. */
class Section {
  readonly #file: string;
  readonly #where: string;
  readonly #values: ReadonlyMap<string, unknown>;
  readonly #asked = new Set<string>();
  readonly #children: Section[] = [];

  private constructor(file: string, where: string, values: object) {
    this.#file = file;
    this.#where = where;
    this.#values = new Map(Object.entries(values));
  }

  static root(text: string, file: string): Section {
    const documents = parseAllDocuments(text);
    const [document] = documents;
    if (document === undefined || documents.length !== 1) {
      throw new ClavigerError("ConfigInvalid", `configuration ${file} must hold exactly one YAML document`);
    }
    const [error] = document.errors;
    if (error !== undefined)
      throw new ClavigerError("ConfigInvalid", `configuration ${file}: ${error.message}`);
    const value: unknown = document.toJS();
    if (!isMapping(value))
      throw new ClavigerError("ConfigInvalid", `configuration ${file} must be a mapping`);
    return new Section(file, "", value);
  }

  wrong(field: string, what: string): ClavigerError {
    const at = `${this.#where}${field}`;
    return new ClavigerError(
      "ConfigInvalid",
      `configuration ${this.#file}: ${at === "" ? "it" : at} ${what}`,
    );
  }

  take(field: string): unknown {
    this.#asked.add(field);
    return this.#values.get(field) ?? undefined;
  }

  optionalText(field: string, pattern?: RegExp): string | undefined {
    const value = this.take(field);
    if (value === undefined) return undefined;
    if (typeof value !== "string" || value === "") throw this.wrong(field, "must be text");
    if (pattern !== undefined && !pattern.test(value))
      throw this.wrong(field, `must match ${pattern.source}`);
    return value;
  }

  text(field: string, pattern?: RegExp): string {
    const value = this.optionalText(field, pattern);
    if (value === undefined) throw this.wrong(field, "is missing");
    return value;
  }

  expectText(field: string, expected: string): void {
    if (this.text(field) !== expected) throw this.wrong(field, `must be ${expected}`);
  }

  optionalInteger(field: string): number | undefined {
    const value = this.take(field);
    if (value === undefined) return undefined;
    if (typeof value !== "number" || !Number.isSafeInteger(value) || value < 0) {
      throw this.wrong(field, "must be a whole number");
    }
    return value;
  }

  optionalObjectName(field: string): ObjectName | undefined {
    const value = this.optionalText(field);
    if (value === undefined) return undefined;
    const [namespace = "", name = "", ...rest] = value.split("/");
    if (!DNS_NAME.test(namespace) || !DNS_NAME.test(name) || rest.length > 0) {
      throw this.wrong(field, "must be NAMESPACE/NAME");
    }
    return { namespace, name };
  }

  optionalSection(field: string): Section | undefined {
    const value = this.take(field);
    if (value === undefined) return undefined;
    return this.#child(field, value);
  }

  section(field: string): Section {
    const section = this.optionalSection(field);
    if (section === undefined) throw this.wrong(field, "is missing");
    return section;
  }

  sections(field: string): Section[] {
    const value = this.take(field);
    if (value === undefined) return [];
    if (!Array.isArray(value)) throw this.wrong(field, "must be a list");
    return value.map((entry: unknown, index) => this.#child(`${field}[${index}]`, entry));
  }

  refuseUnknown(): void {
    const unknown = [...this.#values.keys()].find((field) => !this.#asked.has(field));
    if (unknown !== undefined) throw this.wrong(unknown, "is not a field that claviger knows");
    for (const child of this.#children) child.refuseUnknown();
  }

  #child(field: string, value: unknown): Section {
    if (!isMapping(value)) throw this.wrong(field, "must be a mapping");
    const child = new Section(this.#file, `${this.#where}${field}.`, value);
    this.#children.push(child);
    return child;
  }
}

const isMapping = (value: unknown): value is object =>
  typeof value === "object" && value !== null && !Array.isArray(value);
