import type { KubeClient } from "../../kube/client.ts";
import type { GroupResource } from "./group-resource.ts";

/** A resource of an API server's own etcd that can be listed and patched, at one served version. */
export interface ApiResource extends GroupResource {
  readonly version: string;
  readonly namespaced: boolean;
  /** Of a CustomResourceDefinition; left out for a built-in resource, which loses nothing at any version. */
  readonly definition?: CustomDefinition;
}

export interface CustomDefinition {
  /** The version that the API server prefers, at which Kubernetes' own migration writes. */
  readonly preferred: string;
  /** Why none of its objects may be written: the storage version is not served, or is not known. */
  readonly objection?: string;
}

/** An object's name; without a namespace where the resource has none. */
export interface StoredName {
  readonly namespace?: string;
  readonly name: string;
}

/** APIGroupDiscoveryList of apidiscovery.k8s.io (KEP-3352), as far as it is used. */
export interface Discovery {
  readonly items: readonly {
    /** The name is left out for the core group. */
    readonly metadata?: { readonly name?: string };
    /** The one that the server prefers comes first. */
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

/** An APIService, as far as it is used. One with a service is served by somebody else, who stores it himself. */
export interface ApiService {
  readonly metadata?: { readonly labels?: Readonly<Record<string, string>> };
  readonly spec: { readonly group?: string; readonly version?: string; readonly service?: object | null };
}

/** What requests are made through. */
export type Requests = Pick<KubeClient, "request">;
