import { stringify } from "yaml";

/** Renders objects as one text for kubectl. */
export const manifests = (...objects: readonly object[]): string =>
  objects.map((object) => stringify(object)).join("---\n");

/** Makes an object of the namespace default. */
export const object = (kind: string, name: string, more: object = {}, apiVersion = "v1"): object => ({
  apiVersion,
  kind,
  metadata: { namespace: "default", name },
  ...more,
});

/** Makes one of claviger's resources. */
export const claviger = (kind: string, name: string, spec: object = {}): object => ({
  apiVersion: "kms.claviger.dev/v1alpha1",
  kind,
  metadata: { namespace: "claviger-system", name },
  spec,
});

export const CART = "carts.shop.example.com";

/** A custom resource, `carts.shop.example.com`. */
export const cartDefinition: object = {
  apiVersion: "apiextensions.k8s.io/v1",
  kind: "CustomResourceDefinition",
  metadata: { name: CART },
  spec: {
    group: "shop.example.com",
    scope: "Namespaced",
    names: { plural: "carts", singular: "cart", kind: "Cart", listKind: "CartList" },
    versions: [{ name: "v1", served: true, storage: true, schema: { openAPIV3Schema: { type: "object" } } }],
  },
};

export const cart = (name: string): object => object("Cart", name, {}, "shop.example.com/v1");

interface Rule {
  readonly resources: readonly string[];
  readonly providers: readonly object[];
}

/** Renders an EncryptionConfiguration. claviger's own resources come first and stay plain. */
export const encryptionRules = (...rules: readonly Rule[]): string =>
  stringify({
    apiVersion: "apiserver.config.k8s.io/v1",
    kind: "EncryptionConfiguration",
    resources: [{ resources: ["*.kms.claviger.dev"], providers: [identity] }, ...rules],
  });

export const identity: object = { identity: {} };

export const kms = (name: string, socket: string): object => ({
  kms: { apiVersion: "v2", name, endpoint: `unix://${socket}`, timeout: "3s" },
});

/** Renders a role for the identity that rewrites stored objects. */
export const roleOfRewriters = (name: string, rules: readonly object[]): string =>
  manifests(
    { apiVersion: "rbac.authorization.k8s.io/v1", kind: "ClusterRole", metadata: { name }, rules },
    {
      apiVersion: "rbac.authorization.k8s.io/v1",
      kind: "ClusterRoleBinding",
      metadata: { name },
      roleRef: { apiGroup: "rbac.authorization.k8s.io", kind: "ClusterRole", name },
      subjects: [{ apiGroup: "rbac.authorization.k8s.io", kind: "Group", name: "claviger:rewriters" }],
    },
  );
