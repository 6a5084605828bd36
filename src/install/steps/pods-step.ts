import { packagedPods } from "../objects/packaged.ts";
import { PATHS } from "../paths.ts";
import { placeOf, type Site } from "../site.ts";
import { actIf, blocked, type Step, type StepPlan } from "../step.ts";
import { textOf } from "../text-file.ts";

/**
 * The static pods of plugin and operator, and of the API if it is there. Pods that exist are kept, with another
 * image if one is given.
 */
export const podsStep = (site: Site, image: string | undefined): Step => ({
  name: "static pods",
  plan: async () => {
    const packaged = [...packagedPods()].map(([name, text]) => {
      const path = `${PATHS.manifests}/${name}`;
      return { path, wanted: text, before: textOf(placeOf(site, path)) };
    });
    const pods = packaged.filter(({ path, before }) => path !== API_POD || before !== undefined);
    const single =
      textOf(placeOf(site, SINGLE_POD)) !== undefined && !pods.some(({ path }) => path === SINGLE_POD);
    return single ? singlePod() : decidePods(pods, image);
  },
});

/** The static pod of the AWS KMS API, which `init --api` writes or an administrator has copied. */
export const API_POD = `${PATHS.manifests}/claviger-api.yaml`;

/** The one pod of plugin and operator of earlier installations. */
const SINGLE_POD = `${PATHS.manifests}/claviger.yaml`;

const singlePod = (): StepPlan =>
  blocked(
    `${SINGLE_POD} runs plugin and operator in one pod`,
    "remove that file, and run init again: a second plugin and a second operator cannot run beside them",
  );

interface PodFile {
  readonly path: string;
  readonly wanted: string;
  readonly before: string | undefined;
}

export function decidePods(pods: readonly PodFile[], image: string | undefined): StepPlan {
  const changes = pods.flatMap(({ path, wanted, before }) => {
    const after = withImage(before ?? wanted, image);
    return after === before ? [] : [{ kind: "file", path, mode: 0o600, before, after } as const];
  });
  const names = pods.map(({ path }) => path).join(", ");
  return actIf(changes, `write ${names}`, `${names} ${pods.length === 1 ? "is" : "are"} there`);
}

const withImage = (text: string, image: string | undefined): string =>
  image === undefined
    ? text
    : text.replaceAll(/^(\s*(?:- )?image: ).*$/gm, (_, before) => `${before}${image}`);
