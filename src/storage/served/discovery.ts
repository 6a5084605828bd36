import type { KubeClient } from "../../kube/client.ts";
import type { GroupResource } from "./group-resource.ts";

/** A resource in an API server's own etcd that can be listed and patched, at one served version. */
export interface ApiResource extends GroupResource {
  readonly version: string;
  readonly namespaced: boolean;
  /** The CustomResourceDefinition; left out for a built-in resource, which loses nothing at any version. */
  readonly definition?: CustomDefinition;
}

export interface CustomDefinition {
  /** The version that the API server prefers. Kubernetes' own migration writes at it. */
  readonly preferred: string;
  /** The reason why none of its objects may be written: the storage version is not served, or not known. */
  readonly objection?: string;
}

/** An object's name, without a namespace if the resource is cluster-scoped. */
export interface StoredName {
  readonly namespace?: string;
  readonly name: string;
}

/** The fields of an APIGroupDiscoveryList of apidiscovery.k8s.io (KEP-3352) that are used here. */
export interface Discovery {
  readonly items: readonly {
    /** The name is left out for the core group. */
    readonly metadata?: { readonly name?: string };
    /** The version that the server prefers comes first. */
    readonly versions?: readonly {
      readonly version: string;
      readonly resources?: readonly DiscoveredResource[];
    }[];
  }[];
}

export interface DiscoveredResource {
  readonly resource: string;
  readonly scope: "Namespaced" | "Cluster";
  readonly verbs: readonly string[];
}

/**
 * The fields of an APIService that are used here. If it has a service, another server serves and stores the
 * resource.
 */
export interface ApiService {
  readonly metadata?: { readonly labels?: Readonly<Record<string, string>> };
  readonly spec: { readonly group?: string; readonly version?: string; readonly service?: object | null };
}

/** The client that makes the requests. */
export type Requests = Pick<KubeClient, "request">;
