import type { KubeClient } from "../../kube/client.ts";
import type { KubernetesVersion } from "./observed.ts";

/** The length of the longest version that is kept; `/version` comes from whatever answers at the address. */
const LONGEST = 64;

/** Asks the API server for its version, and if it can hold the guards of deploy/admission.yaml. */
export async function lookAtVersion(client: KubeClient, signal: AbortSignal): Promise<KubernetesVersion> {
  const get = (path: string) => client.request({ method: "GET", path, signal });
  const [version, served] = await Promise.all([
    get("/version"),
    get("/apis/admissionregistration.k8s.io/v1"),
  ]);
  const { gitVersion } = version as { readonly gitVersion?: unknown };
  const { resources } = served as { readonly resources?: readonly { readonly name?: unknown }[] };
  return {
    version: typeof gitVersion === "string" ? gitVersion.slice(0, LONGEST) : "of an unknown version",
    servesPolicies: (resources ?? []).some(({ name }) => name === "validatingadmissionpolicies"),
  };
}
