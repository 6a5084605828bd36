import type { ProviderConfig } from "../../config/config.ts";
import { resolveGoScalar } from "../../go/go-scalar.ts";

/**
 * Renders an EncryptionConfiguration that encrypts Secrets by the first provider, whose name becomes the
 * prefix in etcd.
 *
 * claviger's own resources come first and stay plain: their contents are sealed already, and a node that lost
 * its folder must be able to read them. `identity` comes last, so that objects stored before can still be
 * read.
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

/** The API server would read `on` as a boolean and `12` as a number, unless they are in quotes. */
const plainOrQuoted = (text: string): string =>
  /^[\w./@%+:-]*[\w/]$/.test(text) && !/^[-:%@]/.test(text) && resolveGoScalar(text) === text
    ? text
    : JSON.stringify(text);

/** An endpoint is a URL, so characters that end or escape a path are escaped. */
const endpointOf = (socket: string): string => `unix://${socket.replace(/[%?#]/g, encodeURIComponent)}`;
