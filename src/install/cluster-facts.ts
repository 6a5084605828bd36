import type { Lease } from "../kube/leases.ts";
import { collectionPath, leasesPath } from "../kube/paths.ts";
import type { KeyServer, MasterKey } from "../resources/resources.ts";
import { readObject } from "./objects/apply-object.ts";
import type { Site } from "./site.ts";

/** The MasterKey of deploy/claviger.yaml. */
export const KEY = { namespace: "claviger-system", name: "secrets" } as const;

/** KEP-1965: every kube-apiserver has a Lease here. */
const API_SERVERS = "apiserver.kubernetes.io/identity=kube-apiserver";
const CONTROL_PLANE = "node-role.kubernetes.io/control-plane";

/** The parts of the cluster on which an installation depends. */
export interface ClusterFacts {
  readonly keyServers: readonly KeyServer[];
  readonly masterKey: MasterKey | undefined;
  /** How many KeyVersions there are: with one, a root key exists somewhere. */
  readonly keyVersions: number;
  readonly apiServers: readonly ApiServerFacts[];
  /** The names of the Nodes of the control plane, whether their API servers run or not. */
  readonly controlPlane: readonly string[];
}

/** An API server, by its Lease. */
export interface ApiServerFacts {
  readonly id: string;
  readonly hostname: string;
}

interface List<T> {
  readonly items?: readonly T[];
}

/** Reads the facts. A kind that the API server does not have yet has no objects. */
export async function readCluster(site: Site): Promise<ClusterFacts> {
  const list = async <T>(path: string, query: Readonly<Record<string, string>> = {}) => {
    const search = new URLSearchParams({ limit: "500", ...query });
    const page = (await readObject(site, `${path}?${search}`)) as List<T> | undefined;
    return page?.items ?? [];
  };
  const [keyServers, masterKeys, keyVersions, leases, nodes] = await Promise.all([
    list<KeyServer>(collectionPath("KeyServer")),
    list<MasterKey>(collectionPath("MasterKey"), { fieldSelector: `metadata.name=${KEY.name}` }),
    list<unknown>(collectionPath("KeyVersion"), { limit: "1" }),
    list<Lease>(leasesPath("kube-system"), { labelSelector: API_SERVERS }),
    list<{ readonly metadata: { readonly name: string } }>("/api/v1/nodes", { labelSelector: CONTROL_PLANE }),
  ]);
  return {
    keyServers,
    masterKey: masterKeys.find(({ metadata }) => metadata.namespace === KEY.namespace),
    keyVersions: keyVersions.length,
    apiServers: leases.map(({ metadata }) => ({
      id: metadata.name,
      hostname: metadata.labels?.["kubernetes.io/hostname"] ?? metadata.name,
    })),
    controlPlane: nodes.map(({ metadata }) => metadata.name),
  };
}

/** Returns the KeyServer of this node. */
export const ownServer = (
  { nodeName }: Pick<Site, "nodeName">,
  { keyServers }: Pick<ClusterFacts, "keyServers">,
): KeyServer | undefined => keyServers.find(({ metadata }) => metadata.name === nodeName);
