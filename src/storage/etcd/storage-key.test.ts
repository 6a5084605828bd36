import { describe, expect, test } from "vitest";
import { parseGroupResource } from "../served/group-resource.ts";
import { pathsOf, storedObject } from "./storage-key.ts";

describe("a key in etcd => its resource, namespace and name", () => {
  test.each([
    ["secrets/default/hello", "", "secrets", "default", "hello"],
    ["configmaps/kube-system/a.b", "", "configmaps", "kube-system", "a.b"],
    ["deployments/shop/web", "apps", "deployments", "shop", "web"],
    ["leases/kube-system/x", "coordination.k8s.io", "leases", "kube-system", "x"],
    ["events/default/x.123", "", "events", "default", "x.123"],
    ["minions/node-1", "", "nodes", undefined, "node-1"],
    ["controllers/default/rc", "", "replicationcontrollers", "default", "rc"],
    ["services/specs/default/kubernetes", "", "services", "default", "kubernetes"],
    ["services/endpoints/default/kubernetes", "", "endpoints", "default", "kubernetes"],
    ["ingress/shop/web", "networking.k8s.io", "ingresses", "shop", "web"],
    ["clusterroles/system:node", "rbac.authorization.k8s.io", "clusterroles", undefined, "system:node"],
    ["ranges/servicenodeports", "", "servicenodeportallocations", undefined, "servicenodeports"],
    ["masterleases/10.0.0.1", "", "apiserveripinfo", undefined, "10.0.0.1"],
    [
      "apiregistration.k8s.io/apiservices/v1.apps",
      "apiregistration.k8s.io",
      "apiservices",
      undefined,
      "v1.apps",
    ],
    ["kms.claviger.dev/masterkeys/shop/payments", "kms.claviger.dev", "masterkeys", "shop", "payments"],
    ["shop.example.com/secrets/default/x", "shop.example.com", "secrets", "default", "x"],
    ["shop.example.com/carts/one", "shop.example.com", "carts", undefined, "one"],
  ])("%s", (key, group, resource, namespace, name) => {
    const expected = { resource: { group, resource }, ...(namespace !== undefined && { namespace }), name };
    expect(storedObject(key)).toEqual(expected);
  });

  test.each([
    ["a resource of a newer Kubernetes", "frobs/default/x", { resource: "frobs" }, "x"],
    ["a path that is none", "health", { resource: "health" }, ""],
    ["nothing", "", { resource: "" }, ""],
  ])("%s => no group, and no error", (_, key, resource, name) => {
    expect(storedObject(key)).toMatchObject({ resource, name });
  });
});

describe("a resource => where its keys begin", () => {
  test.each([
    ["secrets", ["secrets/"]],
    ["services", ["services/specs/"]],
    ["deployments.apps", ["deployments/"]],
    ["leases.coordination.k8s.io", ["leases/"]],
    ["ingresses.networking.k8s.io", ["ingress/"]],
    ["carts.shop.example.com", ["shop.example.com/carts/", "carts/"]],
    ["frobs.storage.k8s.io", ["storage.k8s.io/frobs/", "frobs/"]],
    ["frobs.apps", ["frobs/"]],
  ])("%s => %j", (resource, paths) => {
    expect(pathsOf(parseGroupResource(resource))).toEqual(paths);
  });
});
