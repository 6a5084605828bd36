import type { KeyServer } from "../../resources/resources.ts";
import { ownServer, readCluster } from "../cluster-facts.ts";
import { manifestWithoutEncryption, readApiServerManifest } from "../kubeadm/api-server-manifest.ts";
import { readClusterConfiguration } from "../kubeadm/cluster-config-map.ts";
import { FLAGS, withoutEncryption } from "../kubeadm/cluster-configuration.ts";
import { PATHS } from "../paths.ts";
import { placeOf, type Site } from "../site.ts";
import { actIf, done, type Step, type StepPlan, wait } from "../step.ts";
import { apiServerText } from "../steps/api-server-step.ts";
import { placeIn, providerOf } from "../steps/encryption-step.ts";
import { textOf } from "../text-file.ts";

export const cleanConfigurationStep = (site: Site): Step => ({
  name: "kubeadm-config",
  plan: async () => {
    const before = await readClusterConfiguration(site);
    const after = withoutEncryption(before);
    const changes = after === before ? [] : [{ kind: "cluster configuration", before, after } as const];
    return actIf(changes, "remove claviger's flags and mounts", "it has no flag of claviger");
  },
});

/** The API server's manifest without claviger. */
export const cleanApiServerStep = (site: Site): Step => ({
  name: "API server",
  patience: 10 * 60_000,
  plan: async () => {
    const before = apiServerText(site);
    const after = manifestWithoutEncryption(before);
    const { flags } = readApiServerManifest(before);
    if (Object.entries(FLAGS).some(([name, value]) => flags.get(name) === value)) {
      const change = { kind: "file", path: PATHS.apiServer, mode: 0o600, before, after } as const;
      return actIf([change], "remove claviger's flags and mounts; the kubelet restarts it", "");
    }
    const own = ownServer(site, await readCluster(site));
    return decideRestarted(own, site.nodeName);
  },
});

export function decideRestarted(own: KeyServer | undefined, nodeName: string): StepPlan {
  const { apiServer, providers = [] } = own?.status ?? {};
  const silent = providers.every(({ notAskedSince }) => notAskedSince !== undefined);
  if (own === undefined || apiServer?.encryptionConfig === "NotConfigured" || silent)
    return done("it runs without an EncryptionConfiguration");
  return wait(
    `it restarts; KeyServer ${nodeName} does not report yet that it runs without an EncryptionConfiguration`,
  );
}

/** Removes the kms entry, so that the operator sees that nothing on this node needs a key. */
export const emptyEncryptionStep = (site: Site): Step => ({
  name: "encryption configuration",
  plan: async () => {
    const before = textOf(placeOf(site, PATHS.encryptionConfig));
    const place = placeIn(before, providerOf(site));
    const changes =
      place === "missing" || place === "other"
        ? []
        : [{ kind: "file", path: PATHS.encryptionConfig, mode: 0o600, before, after: PLAIN } as const];
    return actIf(changes, "remove claviger's entry", "it has no entry of claviger");
  },
});

const PLAIN = `apiVersion: apiserver.config.k8s.io/v1
kind: EncryptionConfiguration
resources:
  - resources: [secrets]
    providers:
      - identity: {}
`;
