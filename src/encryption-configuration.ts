import type { ProviderConfig } from "./config.ts";

/**
 * An EncryptionConfiguration that encrypts Secrets by the first provider (its
 * name is what etcd shows as prefix).
 *
 * claviger's own resources come first, and stay plain: what they hold is sealed
 * already, and a node that lost its folder must be able to read them. `identity`
 * comes last, so that what was stored before is still read.
 */
export function encryptionConfiguration(provider: Pick<ProviderConfig, "name" | "socket">): string {
  return `apiVersion: apiserver.config.k8s.io/v1
kind: EncryptionConfiguration
resources:
  - resources: ["*.kms.claviger.dev"]
    providers:
      - identity: {}
  - resources: [secrets]
    providers:
      - kms:
          apiVersion: v2
          name: ${provider.name}
          endpoint: unix://${provider.socket}
          timeout: 3s
      - identity: {}
`;
}
