import { randomBytes } from "node:crypto";
import { encryptionRules, identity, kms } from "./manifests.ts";

/**
 * A provider of an EncryptionConfiguration. `renamed` is claviger's socket by another name; `kms-v1`,
 * `kms-v2` and `aescbc` are the cluster's former providers.
 */
export type Link = "claviger" | "renamed" | "identity" | "aescbc" | "kms-v1" | "kms-v2";
/**
 * The providers of a rule in their order. The first provider writes. An empty chain is no rule, and means
 * plain.
 */
export type Chain = readonly Link[];
/** The chain of each node, in their order. */
export type Chains = readonly Chain[];
/**
 * Returns the chains that the API servers have for a scenario: one answer, or two while an API server may or
 * may not have loaded an edited file.
 */
export type PossibleChains = (scenario: Scenario) => readonly Chains[];

/** An edit of the EncryptionConfiguration of one node. */
interface Edit {
  /** The node's number, from 1. */
  readonly node: number;
  readonly chain: Chain;
}

/** A resource that is moved from one chain to another on one node after another, under its own MasterKey. */
export interface Scenario {
  /** Names the MasterKey, the provider and the custom resource. */
  readonly name: string;
  readonly title: string;
  readonly resource: Resource;
  /** A resource that is on the same socket from the start, and stays there. */
  readonly beside?: Resource;
  readonly before: Chain;
  /** The first edit is made in the first phase, and so on. */
  readonly edits: readonly Edit[];
}

/** A resource of the namespace default whose objects contain one text. */
export interface Resource {
  readonly kind: string;
  readonly apiVersion: string;
  /** Its pattern in an EncryptionConfiguration. */
  readonly pattern: string;
  readonly path: string;
  /** Its prefix in etcd. */
  readonly prefix: string;
}

export const GROUP = "matrix.example.com";
export const SECRETS: Resource = core("Secret", "secrets");
export const CONFIG_MAPS: Resource = core("ConfigMap", "configmaps");

/** Returns the custom resource of a scenario. */
export function customResource(name: string): Resource {
  const plural = `${name}s`;
  return {
    kind: name.charAt(0).toUpperCase() + name.slice(1),
    apiVersion: `${GROUP}/v1`,
    pattern: `${plural}.${GROUP}`,
    path: `/apis/${GROUP}/v1/namespaces/default/${plural}`,
    prefix: `/registry/${GROUP}/${plural}/`,
  };
}

function core(kind: string, plural: string): Resource {
  return {
    kind,
    apiVersion: "v1",
    pattern: plural,
    path: `/api/v1/namespaces/default/${plural}`,
    prefix: `/registry/${plural}/`,
  };
}

export const resourcesOf = ({ resource, beside }: Scenario): readonly Resource[] =>
  beside === undefined ? [resource] : [beside, resource];

/** The order of nodes in which a chain is rolled out. */
interface Step {
  readonly chain: Chain;
  readonly nodes: readonly number[];
}

type Move = Pick<Scenario, "name" | "title" | "before"> &
  Partial<Pick<Scenario, "resource" | "beside">> & { readonly steps: readonly Step[] };

export const scenario = ({ steps, ...rest }: Move): Scenario => ({
  resource: customResource(rest.name),
  ...rest,
  edits: steps.flatMap(({ chain, nodes }) => nodes.map((node) => ({ node, chain }))),
});

/** Returns each node's chain after this many phases. */
export function chainsAfter({ before, edits }: Scenario, phases: number, nodes: number): Chains {
  const chains = Array.from({ length: nodes }, () => before);
  for (const { node, chain } of edits.slice(0, phases)) chains[node - 1] = chain;
  return chains;
}

/**
 * The required report about the stored data while the API servers have these chains: complete in the end if
 * all write under claviger; a difference between nodes if some do; no claim of success if none does.
 */
export type Standing = "complete" | "differs" | "nothing";

export function standingOf({ beside }: Scenario, chains: Chains): Standing {
  const writers = chains.filter(([first]) => first === "claviger").length;
  if (chains.some(([first]) => first === "renamed")) return "differs";
  if (writers === chains.length) return "complete";
  if (writers > 0) return "differs";
  return beside === undefined ? "nothing" : "complete";
}

/**
 * Returns true if an API server with this chain can read the writes of an API server with the other chain.
 */
export const canRead = (reader: Chain, [written = "identity"]: Chain): boolean =>
  written === "identity" ? reader.length === 0 || reader.includes("identity") : reader.includes(written);

/** The sockets of the providers. Those of `kms-v1` and `kms-v2` are the same for all nodes. */
export interface Sockets {
  readonly v1: string;
  readonly v2: string;
  claviger(provider: string): string;
}

/** Renders a node's EncryptionConfiguration with one chain for each scenario. */
export function encryptionOf(
  chains: readonly { readonly scenario: Scenario; readonly chain: Chain }[],
  sockets: Sockets,
): string {
  return encryptionRules(
    ...chains.flatMap(({ scenario: { name, resource, beside }, chain }) => {
      const socket = sockets.claviger(name);
      const rule = (label: string, { pattern }: Resource, links: Chain) =>
        links.length === 0
          ? []
          : [
              {
                resources: [pattern],
                providers: links.map((link) => providerOf(link, label, socket, sockets)),
              },
            ];
      return [
        ...(beside === undefined ? [] : rule(`${name}-beside`, beside, ["claviger", "identity"])),
        ...rule(name, resource, chain),
      ];
    }),
  );
}

const AESCBC = { aescbc: { keys: [{ name: "key1", secret: randomBytes(32).toString("base64") }] } };

function providerOf(link: Link, name: string, socket: string, { v1, v2 }: Sockets): object {
  switch (link) {
    case "claviger":
      return kms(name, socket);
    case "renamed":
      return kms(`${name}-renamed`, socket);
    case "identity":
      return identity;
    case "aescbc":
      return AESCBC;
    case "kms-v1":
      return {
        kms: {
          apiVersion: "v1",
          name: `old-${name}`,
          endpoint: `unix://${v1}`,
          cachesize: 100,
          timeout: "3s",
        },
      };
    case "kms-v2":
      return kms(`old-${name}`, v2);
  }
}
