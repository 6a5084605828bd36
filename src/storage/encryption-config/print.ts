import type { ProviderConfig } from "../../config/config.ts";
import { resolveGoScalar } from "../../go/go-scalar.ts";

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
          name: ${plainOrQuoted(provider.name)}
          endpoint: ${plainOrQuoted(endpointOf(provider.socket))}
          timeout: 3s
      - identity: {}
`;
}

/** To the API server `on` is a boolean and `12` a number, unless they are in quotes. */
const plainOrQuoted = (text: string): string =>
  /^[\w./@%+:-]*[\w/]$/.test(text) && !/^[-:%@]/.test(text) && resolveGoScalar(text) === text
    ? text
    : JSON.stringify(text);

/** An endpoint is a URL: what ends or escapes a path there is escaped. */
const endpointOf = (socket: string): string => `unix://${socket.replace(/[%?#]/g, encodeURIComponent)}`;
