import { type Check, check, when } from "./check.ts";

/** KMS v2 is stable from this minor version of Kubernetes 1 on. */
const OLDEST_MINOR = 29;

/** Checks of the API server's version. */
export const versionChecks: readonly Check[] = [
  check("KubernetesTooOld", ["kubernetes"], ({ kubernetes: { version } }) =>
    when(minorOf(version) < OLDEST_MINOR, () => ({
      severity: "error",
      object: `API server ${version}`,
      message: `Kubernetes before 1.${OLDEST_MINOR} is not supported: KMS v2 is not stable there, and its API server sends a socket's path in a form that the plugin's HTTP/2 refuses`,
      remedy: `upgrade Kubernetes to 1.${OLDEST_MINOR} or newer before claviger encrypts anything`,
    })),
  ),
  check("GuardsNotServed", ["kubernetes"], ({ kubernetes: { version, servesPolicies } }) =>
    when(!servesPolicies, () => ({
      severity: "warning",
      object: `API server ${version}`,
      message:
        "it does not serve ValidatingAdmissionPolicies of version v1 (Kubernetes 1.30 and later do), so that the guards of deploy/admission.yaml cannot be there: a key in use is held by its finalizer alone, and a node's identity can do more than it should",
      remedy:
        "upgrade Kubernetes to 1.30 or newer and apply deploy/admission.yaml; until then read docs/threat-model.md, Attackers",
    })),
  ),
];

/** Returns the minor version, or infinity if the text is not the version of a Kubernetes 1. */
function minorOf(version: string): number {
  const minor = /^v1\.(\d{1,4})\./.exec(version)?.[1];
  return minor === undefined ? Number.POSITIVE_INFINITY : Number(minor);
}
