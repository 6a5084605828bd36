import { ClavigerError } from "../../errors.ts";
import { ownServer, readCluster } from "../cluster-facts.ts";
import { manifestWithEncryption, readApiServerManifest } from "../kubeadm/api-server-manifest.ts";
import { type EncryptionFacts, FLAGS, missingIn } from "../kubeadm/cluster-configuration.ts";
import { PATHS } from "../paths.ts";
import { readsSecrets } from "../reading.ts";
import { placeOf, type Site } from "../site.ts";
import { act, blocked, done, type Step, type StepPlan, wait } from "../step.ts";
import { textOf } from "../text-file.ts";

/** Reads the manifest of this node's API server. Throws InvalidArgument if there is none. */
export function apiServerText(site: Site): string {
  const text = textOf(placeOf(site, PATHS.apiServer));
  if (text !== undefined) return text;
  throw new ClavigerError(
    "InvalidArgument",
    `there is no ${PATHS.apiServer}: run init on a control-plane node of kubeadm; on a node that joins the cluster, run claviger join first and then kubeadm join`,
  );
}

/** The API server's flags and mounts. The kubelet restarts it, which takes up to a minute. */
export const apiServerStep = (site: Site): Step => ({
  name: "API server",
  patience: 10 * 60_000,
  plan: async () => {
    const before = apiServerText(site);
    const facts = readApiServerManifest(before);
    if (missingIn(facts).length > 0) return decideManifest(before, facts);
    return readsSecrets(ownServer(site, await readCluster(site)))
      ? done("it has the flags and mounts, and reads what is stored under claviger")
      : wait(
          `it restarts; KeyServer ${site.nodeName} does not report yet that it uses ${PATHS.encryptionConfig}`,
        );
  },
});

export function decideManifest(before: string, facts: EncryptionFacts): StepPlan {
  const foreign = facts.flags.get(CONFIG_FLAG);
  if (foreign !== undefined && foreign !== FLAGS[CONFIG_FLAG]) {
    return blocked(
      `this API server has another EncryptionConfiguration: ${foreign}`,
      "follow docs/operations/move.md",
    );
  }
  const after = manifestWithEncryption(before);
  const change = { kind: "file", path: PATHS.apiServer, mode: 0o600, before, after } as const;
  const missing = missingIn(facts).join(", ");
  return act(`add ${missing}; the kubelet restarts it`, [change]);
}

const CONFIG_FLAG = "encryption-provider-config";
