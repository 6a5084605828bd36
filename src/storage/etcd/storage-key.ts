import type { GroupResource } from "../served/group-resource.ts";

/** An object, identified by its key in etcd. */
export interface StoredObject {
  /** The group is left out if a newer Kubernetes stores a resource that this table does not have. */
  readonly resource: { readonly group?: string; readonly resource: string };
  readonly namespace?: string;
  readonly name: string;
}

/**
 * The resources that API servers store without a group in the key (1.37): all that are built into
 * kube-apiserver. Any other resource has its group in the key, and that group has a dot. Source: kubernetes,
 * test/integration/etcd/data.go.
 */
const BUILT_IN: Readonly<Record<string, readonly string[]>> = {
  "": words(`configmaps events limitranges namespaces persistentvolumeclaims persistentvolumes pods
    podtemplates resourcequotas secrets serviceaccounts`),
  "admissionregistration.k8s.io": words(`mutatingadmissionpolicies mutatingadmissionpolicybindings
    mutatingwebhookconfigurations validatingadmissionpolicies validatingadmissionpolicybindings
    validatingwebhookconfigurations`),
  apps: words("controllerrevisions daemonsets deployments replicasets statefulsets"),
  autoscaling: words("horizontalpodautoscalers"),
  batch: words("cronjobs jobs"),
  "certificates.k8s.io": words("certificatesigningrequests clustertrustbundles podcertificaterequests"),
  "coordination.k8s.io": words("leasecandidates leases"),
  "discovery.k8s.io": words("endpointslices"),
  "flowcontrol.apiserver.k8s.io": words("flowschemas prioritylevelconfigurations"),
  "internal.apiserver.k8s.io": words("storageversions"),
  "lifecycle.k8s.io": words("evictionrequests evictions"),
  "networking.k8s.io": words("ingressclasses ipaddresses networkpolicies servicecidrs"),
  "node.k8s.io": words("runtimeclasses"),
  policy: words("poddisruptionbudgets"),
  "rbac.authorization.k8s.io": words("clusterrolebindings clusterroles rolebindings roles"),
  "resource.k8s.io": words(`deviceclasses devicetaintrules resourceclaims resourceclaimtemplates
    resourcepoolstatusrequests resourceslices`),
  "scheduling.k8s.io": words("compositepodgroups podgroups priorityclasses workloads"),
  "storage.k8s.io": words(`csidrivers csinodes csistoragecapacities storageclasses volumeattachments
    volumeattributesclasses`),
  "storagemigration.k8s.io": words("storageversionmigrations"),
};

/**
 * Paths that differ from the resource's name: SpecialDefaultResourcePrefixes of pkg/kubeapiserver, and
 * kube-apiserver's internal objects, which no API serves.
 */
const SPECIAL: Readonly<Record<string, GroupResource>> = {
  controllers: { group: "", resource: "replicationcontrollers" },
  minions: { group: "", resource: "nodes" },
  "services/endpoints": { group: "", resource: "endpoints" },
  "services/specs": { group: "", resource: "services" },
  ingress: { group: "networking.k8s.io", resource: "ingresses" },
  "ranges/serviceips": { group: "", resource: "serviceipallocations" },
  "ranges/secondaryserviceips": { group: "", resource: "serviceipallocations" },
  "ranges/servicenodeports": { group: "", resource: "servicenodeportallocations" },
  masterleases: { group: "", resource: "apiserveripinfo" },
  peerserverleases: { group: "", resource: "apiserverpeeripinfo" },
};

const byPath: ReadonlyMap<string, GroupResource> = new Map([
  ...Object.entries(BUILT_IN).flatMap(([group, names]) =>
    names.map((resource): [string, GroupResource] => [resource, { group, resource }]),
  ),
  ...Object.entries(SPECIAL),
]);

/**
 * Returns the object behind a key, given without the API servers' prefix and its slash:
 * `secrets/default/hello`.
 */
export function storedObject(key: string): StoredObject {
  const parts = key.split("/");
  const [first = "", second = ""] = parts;
  // The group of a custom resource has a dot. No built-in resource has a dot in the first part of its path.
  if (first.includes(".") && parts.length > 2) {
    return named({ group: first, resource: second }, parts.slice(2));
  }
  const nested = byPath.get(`${first}/${second}`);
  if (nested !== undefined) return named(nested, parts.length > 2 ? parts.slice(2) : [second]);
  return named(byPath.get(first) ?? { resource: first }, parts.slice(1));
}

function named(resource: StoredObject["resource"], [first = "", ...rest]: readonly string[]): StoredObject {
  return rest.length === 0 ? { resource, name: first } : { resource, namespace: first, name: rest.join("/") };
}

/**
 * Returns the prefixes that a resource's keys may have, without the API servers' own prefix: `["secrets/"]`.
 */
export function pathsOf({ group, resource }: GroupResource): readonly string[] {
  const known = [...byPath].filter(([, found]) => found.group === group && found.resource === resource);
  if (known.length > 0) return known.map(([path]) => `${path}/`);
  // A custom resource, or a resource that is built into a newer Kubernetes.
  return group.includes(".") ? [`${group}/${resource}/`, `${resource}/`] : [`${resource}/`];
}

function words(text: string): readonly string[] {
  return text.split(/\s+/);
}
