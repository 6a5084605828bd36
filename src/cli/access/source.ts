import type { Action } from "../../access/actions.ts";
import { isLeftToRbac, type WhoFacts } from "../../access/who-may.ts";
import type { Caller } from "../../aws/caller.ts";
import { type NamedKey, parseKeyName } from "../../aws/keys/key-name.ts";
import { type NodeConfig, readConfig } from "../../config/config.ts";
import { ClavigerError, messageOf } from "../../errors.ts";
import type { AwsSite } from "../../keys/arn.ts";
import { reviewAccess } from "../../kube/access-review.ts";
import type { KubeClient } from "../../kube/client.ts";
import { collectionPath, objectPath } from "../../kube/paths.ts";
import { nameText, type ObjectName } from "../../names.ts";
import type { KeyAlias, MasterKey } from "../../resources/resources.ts";
import { readKeyring } from "../site/read-keyring.ts";
import {
  accessOf,
  ClusterMasterKey,
  type ClusterOptions,
  clientOf,
  nameInCluster,
  nameOf,
  namespaceFor,
} from "../site/target.ts";
import { clusterFacts } from "./cluster-facts.ts";
import type { AskedRbac } from "./explain.ts";
import type { KeyFacts } from "./key-facts.ts";
import { listAll } from "./list-all.ts";
import { mastersOf, rbacSubjects } from "./rbac-rules.ts";
import { readRbac } from "./read-rbac.ts";
import { keyringFacts } from "./standalone-facts.ts";
import { whoFactsOf } from "./who.ts";

/** The place that is asked: an API server, or a standalone node. */
export interface AccessSource {
  readonly isCluster: boolean;
  readonly facts: KeyFacts;
  /** Reads RBAC if the key's policy leaves any of the operations to it. */
  who(
    operations: readonly Action[],
  ): Promise<{ readonly who: WhoFacts; readonly missing: readonly string[] }>;
  askRbac(caller: Caller, verb: string): Promise<AskedRbac>;
  close(): void;
}

/** Opens the place that the options name, for a key. Throws NotFound, NotReady, ConfigInvalid or ApiServer. */
export async function openSource(argument: string, options: ClusterOptions): Promise<AccessSource> {
  const config = options.config === undefined ? undefined : readConfig(options.config);
  return config?.resources.kind === "manifests"
    ? standalone(argument, config, options)
    : cluster(argument, options);
}

function standalone(argument: string, config: NodeConfig, { namespace }: ClusterOptions): AccessSource {
  const own = namespace ?? config.api?.namespace ?? "default";
  const name = keyNamed(argument, own, config) ?? { key: nameOf(argument, namespace, () => own) };
  const facts = readKeyring(config, (reader) => keyringFacts(reader, name, config));
  return {
    ...{ isCluster: false, facts },
    who: async () => ({ who: whoFactsOf(facts, () => mastersOf(facts.site.account)), missing: [] }),
    askRbac: async ({ groups }) => ({ answer: groups.includes("system:masters") ? "allowed" : "denied" }),
    close: () => {},
  };
}

async function cluster(argument: string, options: ClusterOptions): Promise<AccessSource> {
  const client = clientOf(accessOf(options));
  try {
    const facts = await clusterFacts(client, await masterKeyOf(client, argument, options));
    const { namespace, name } = facts.key;
    return {
      ...{ isCluster: true, facts, close: () => client.close() },
      who: (operations) => whoInCluster(client, facts, operations),
      askRbac: async ({ user, groups }, verb) => {
        try {
          const isAllowed = await reviewAccess(client, { user, groups, verb, namespace, name });
          return { answer: isAllowed ? "allowed" : "denied" };
        } catch (error) {
          return { answer: "unknown", why: messageOf(error) };
        }
      },
    };
  } catch (error) {
    client.close();
    throw error;
  }
}

async function whoInCluster(client: KubeClient, facts: KeyFacts, operations: readonly Action[]) {
  const none = whoFactsOf(facts, () => []);
  if (!isLeftToRbac(operations, none)) return { who: none, missing: [] };
  const { objects, missing } = await readRbac(client, facts.key.namespace);
  return { who: whoFactsOf(facts, rbacSubjects(objects, facts.key, facts.site.account)), missing };
}

async function masterKeyOf(
  client: KubeClient,
  argument: string,
  options: ClusterOptions,
): Promise<MasterKey> {
  const access = accessOf(options);
  const named = isKeyName(argument) ? keyNamed(argument, namespaceFor(options), siteIn(argument)) : undefined;
  if (named === undefined) return new ClusterMasterKey(access, nameInCluster(argument, options)).read();
  if ("keyId" in named) return withKeyId(client, named.keyId);
  return new ClusterMasterKey(access, await targetOf(client, named.alias)).read();
}

async function targetOf(client: KubeClient, alias: ObjectName): Promise<ObjectName> {
  // The CRD's schema has validated it.
  const { spec } = (await client.request({ method: "GET", path: objectPath("KeyAlias", alias) })) as KeyAlias;
  return { namespace: alias.namespace, name: spec.masterKey };
}

async function withKeyId(client: KubeClient, keyId: string): Promise<MasterKey> {
  const all = (await listAll(client, collectionPath("MasterKey"))) as readonly MasterKey[];
  const [found, ...more] = all.filter(({ status }) => status?.keyId === keyId);
  if (found !== undefined && more.length === 0) return found;
  const names = [found ?? [], more]
    .flat()
    .map(({ metadata: { namespace = "", name } }) => nameText({ namespace, name }));
  throw new ClavigerError(
    "NotFound",
    names.length === 0
      ? `no MasterKey has the keyId ${keyId}; kubectl get masterkeys -A -o wide shows them`
      : `several MasterKeys claim the keyId ${keyId}: name one of ${names.join(", ")}`,
  );
}

const UUID = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;
const isKeyName = (argument: string): boolean => /^(?:arn:|alias\/)/.test(argument) || UUID.test(argument);

/** Reads a key id, an alias or an ARN; undefined for NAMESPACE/NAME. Throws the API's error for a name that it refuses. */
const keyNamed = (argument: string, namespace: string, site: AwsSite): NamedKey | undefined =>
  isKeyName(argument) ? parseKeyName(argument, namespace, site) : undefined;

/** An API server has the keys of one site, and their ARNs say which. */
function siteIn(argument: string): AwsSite {
  const [, , , region = "", account = ""] = argument.split(":");
  return { region, account };
}
