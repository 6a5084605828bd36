import type { ApiConfig } from "../../config/aws-config.ts";
import { fieldsOf } from "../../json.ts";
import { nodeApi } from "../node-api.ts";
import { readObject } from "../objects/apply-object.ts";
import { packagedPods } from "../objects/packaged.ts";
import { PATHS } from "../paths.ts";
import { placeOf, type Site } from "../site.ts";
import { blocked, type Step, type StepPlan, wait } from "../step.ts";
import { exists, textOf } from "../text-file.ts";
import { API_POD, decidePods } from "./pods-step.ts";
import { podPath, troublesOf } from "./running-step.ts";

/** The AWS KMS API as a static pod. Its configuration and certificate are made by a person first. */
export const apiStep = (site: Site, image: string | undefined): Step => ({
  name: "AWS KMS API",
  patience: 5 * 60_000,
  plan: async () => {
    const api = nodeApi(site);
    return decideApi({
      api,
      missing: api === undefined ? [] : missingFiles(site, api),
      before: textOf(placeOf(site, API_POD)),
      pod: await readObject(site, podPath(site, "api")),
      image,
    });
  },
});

/** The files of the certificate that are not on the node. */
const missingFiles = (site: Site, api: ApiConfig): string[] =>
  pathsOf(api).filter((path) => !exists(placeOf(site, path)));

const pathsOf = ({ tls }: ApiConfig): string[] => (tls === undefined ? [] : [tls.cert, tls.key]);

export interface ObservedApi {
  readonly api: ApiConfig | undefined;
  readonly missing: readonly string[];
  /** The static pod's file; undefined if there is none. */
  readonly before: string | undefined;
  /** The kubelet's mirror pod, unparsed. */
  readonly pod: unknown;
  readonly image: string | undefined;
}

export function decideApi({ api, missing, before, pod, image }: ObservedApi): StepPlan {
  if (api === undefined) return blocked(`${PATHS.config} has no aws.listen`, SEE);
  if (api.kubeconfig !== PATHS.apiKubeconfig)
    return blocked(`aws.kubeconfig in ${PATHS.config} is not ${PATHS.apiKubeconfig}`, SEE);
  const outside = pathsOf(api).filter((path) => !path.startsWith(CONFIG_FOLDER));
  if (outside.length > 0)
    return blocked(
      `aws.tls in ${PATHS.config} names files that its static pod does not have: ${outside.join(", ")}`,
      MOVE,
    );
  if (missing.length > 0)
    return blocked(`the API's certificate is not on this node: ${missing.join(", ")}`, SEE);
  const wanted = packagedPods().get("claviger-api.yaml") ?? "";
  const plan = decidePods([{ path: API_POD, wanted, before }], image);
  if (plan.kind === "act" || isReady(pod)) return plan;
  return wait(`it is not ready: ${troublesOf(pod).join("; ") || "the kubelet starts it"}`);
}

/** The folder of the node that the static pod mounts. */
const CONFIG_FOLDER = "/etc/claviger/";
const MOVE = `put certificate and key into ${CONFIG_FOLDER}, and run init --api again`;
const SEE = "see docs/aws.md, In a cluster, and run init --api again";

function isReady(pod: unknown): boolean {
  const { conditions } = fieldsOf(fieldsOf(pod).status);
  const all: readonly unknown[] = Array.isArray(conditions) ? conditions : [];
  return all.map(fieldsOf).some(({ type, status }) => type === "Ready" && status === "True");
}
