import { GROUP as OUR_GROUP } from "../../resources/resources.ts";
import type { ApiResource, ApiService, Discovery, Requests, StoredName } from "./discovery.ts";
import { covers, type GroupResource, groupResourceText } from "./group-resource.ts";
import { atStorageVersions, type ServedResource } from "./storage-version.ts";
import { isOfDefinitions, unserved } from "./unserved.ts";

const DISCOVERY = ["v2", "v2beta1"]
  .map((version) => `application/json;g=apidiscovery.k8s.io;v=${version};as=APIGroupDiscoveryList`)
  .join(",");

/** The resources that patterns of an EncryptionConfiguration name. */
export interface NamedResources {
  /** In the order of their names. */
  readonly resources: readonly ApiResource[];
  /** Patterns of custom resources that exist, but that this API server cannot write. */
  readonly unserved: readonly string[];
}

/** Returns only the resources. */
export const apiResources = async (
  ...args: Parameters<typeof namedResources>
): Promise<readonly ApiResource[]> => (await namedResources(...args)).resources;

/**
 * Returns the resources that patterns of an EncryptionConfiguration name (`secrets`, `deployments.apps`,
 * `*.apps`, `*.`, `*.*`) and that this API server stores. Throws the errors of the client.
 */
export async function namedResources(
  client: Requests,
  patterns: readonly string[],
  signal: AbortSignal,
): Promise<NamedResources> {
  const get = (path: string, accept?: string) =>
    client.request({ method: "GET", path, signal, ...(accept !== undefined && { accept }) });
  const [core, named, services] = await Promise.all([
    get("/api", DISCOVERY),
    get("/apis", DISCOVERY),
    get("/apis/apiregistration.k8s.io/v1/apiservices"),
  ]);
  // The API server answers the request, or 406.
  const discoveries = [core, named] as readonly Discovery[];
  const { items } = services as { readonly items: readonly ApiService[] };
  const served = storedResources(discoveries, items);
  const wanted = served.filter((resource) => patterns.some((pattern) => covers(pattern, resource)));
  return {
    resources: await atStorageVersions(client, wanted, signal),
    unserved: unserved({ discoveries, services: items, served }, patterns),
  };
}

/**
 * Returns all resources that are in this API server's etcd and can be rewritten, at the version that it
 * prefers.
 */
export function storedResources(
  discoveries: readonly Discovery[],
  services: readonly ApiService[],
): ServedResource[] {
  const namesOf = (wanted: (service: ApiService) => boolean) =>
    new Set(services.filter(wanted).map(({ spec }) => `${spec.group ?? ""}/${spec.version ?? ""}`));
  const foreign = namesOf(({ spec }) => Boolean(spec.service));
  const custom = namesOf(isOfDefinitions);
  const found = new Map<string, ServedResource>();
  for (const { metadata, versions = [] } of discoveries.flatMap(({ items }) => items)) {
    const group = metadata?.name ?? "";
    for (const { version, resources = [] } of versions) {
      if (foreign.has(`${group}/${version}`)) continue;
      for (const { resource, scope, verbs } of resources) {
        const key = groupResourceText({ group, resource });
        if (!isWanted({ group, resource }) || !isRewritable(verbs)) continue;
        const first = found.get(key);
        const one = {
          ...{ group, resource, version, namespaced: scope === "Namespaced", others: [] },
          custom: custom.has(`${group}/${version}`),
        };
        found.set(key, first === undefined ? one : { ...first, others: [...first.others, version] });
      }
    }
  }
  return [...found].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, resource]) => resource);
}

/**
 * claviger's own resources are never encrypted, and events of events.k8s.io are the same objects as the core
 * group's.
 */
const isWanted = ({ group, resource }: GroupResource): boolean =>
  group !== OUR_GROUP && !(group === "events.k8s.io" && resource === "events");

const isRewritable = (verbs: readonly string[]): boolean => verbs.includes("list") && verbs.includes("patch");

/** Returns the path of all objects of a resource. */
export function collectionPathOf(resource: ApiResource): string {
  return `${versionPath(resource)}/${resource.resource}`;
}

/** Returns the path of one object. */
export function objectPathOf(resource: ApiResource, { namespace, name }: StoredName): string {
  const scope = namespace === undefined ? "" : `/namespaces/${encodeURIComponent(namespace)}`;
  return `${versionPath(resource)}${scope}/${resource.resource}/${encodeURIComponent(name)}`;
}

const versionPath = ({ group, version }: ApiResource): string =>
  group === "" ? `/api/${version}` : `/apis/${group}/${version}`;
