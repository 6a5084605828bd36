import { ClavigerError } from "../../errors.ts";
import { readCluster } from "../cluster-facts.ts";
import { otherDifference, readApiServerManifest } from "../kubeadm/api-server-manifest.ts";
import { readClusterConfiguration } from "../kubeadm/cluster-config-map.ts";
import { FLAGS, kubeadmFile, missingIn, withEncryption } from "../kubeadm/cluster-configuration.ts";
import { renderApiServer } from "../kubeadm/kubeadm.ts";
import { PATHS } from "../paths.ts";
import { readsSecrets } from "../reading.ts";
import { placeOf, type Site } from "../site.ts";
import { blocked, done, type Step, type StepPlan, wait } from "../step.ts";
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

/** The API server's flags and mounts, by kubeadm. The kubelet restarts it, which takes up to a minute. */
export const apiServerStep = (site: Site): Step => ({
  name: "API server",
  patience: 10 * 60_000,
  plan: async () => {
    const before = apiServerText(site);
    const facts = readApiServerManifest(before);
    const { flags } = facts;
    const missing = missingIn(facts);
    if (missing.length > 0) {
      const wanted = withEncryption(await readClusterConfiguration(site));
      const rendered = await renderApiServer(site, kubeadmFile(wanted, facts));
      return decideManifest({ before, rendered, missing, flags });
    }
    const { keyServers } = await readCluster(site);
    const own = keyServers.find(({ metadata }) => metadata.name === site.nodeName);
    return readsSecrets(own)
      ? done("it has the flags and mounts, and reads what is stored under claviger")
      : wait(
          `it restarts; KeyServer ${site.nodeName} does not report yet that it uses ${PATHS.encryptionConfig}`,
        );
  },
});

export interface Rendered {
  readonly before: string;
  readonly rendered: string;
  readonly missing: readonly string[];
  readonly flags: ReadonlyMap<string, string>;
}

/** Nothing but claviger's part may change: kubeadm does not know what was edited by hand. */
export function decideManifest({ before, rendered, missing, flags }: Rendered): StepPlan {
  const foreign = Object.keys(FLAGS).find((name) => flags.has(name) && flags.get(name) !== FLAGS[name]);
  if (foreign === "encryption-provider-config") {
    return blocked(
      `this API server has another EncryptionConfiguration: ${flags.get(foreign)}`,
      "follow docs/operations/move.md",
    );
  }
  const other = otherDifference(before, rendered);
  if (other !== undefined) {
    return blocked(
      `kubeadm would change more of ${PATHS.apiServer} than claviger needs: ${other}`,
      `put that into ConfigMap kube-system/kubeadm-config, so that an upgrade keeps it too, or add ${missing.join(", ")} by hand`,
    );
  }
  const change = { kind: "file", path: PATHS.apiServer, mode: 0o600, before, after: rendered } as const;
  return { kind: "act", text: `add ${missing.join(", ")}; the kubelet restarts it`, changes: [change] };
}
