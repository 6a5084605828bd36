import { conditionOf } from "../../resources/conditions.ts";
import type { KeyServer, MasterKey } from "../../resources/resources.ts";
import type { KubeObject, ObjectChange } from "../changes.ts";
import { type ClusterFacts, KEY, ownServer, readCluster } from "../cluster-facts.ts";
import { readClusterConfiguration } from "../kubeadm/cluster-config-map.ts";
import { factsOf, missingIn, withEncryption } from "../kubeadm/cluster-configuration.ts";
import { hasApiIdentity } from "../node-api.ts";
import { readObject, stateOf } from "../objects/apply-object.ts";
import { pathOf } from "../objects/object-path.ts";
import { packagedDefinitions, packagedObjects } from "../objects/packaged.ts";
import { PATHS } from "../paths.ts";
import { nodesThatDoNotRead, writesSecrets } from "../reading.ts";
import { placeOf, type Site } from "../site.ts";
import { act, actIf, blocked, done, type Step, type StepPlan, wait } from "../step.ts";
import { textOf } from "../text-file.ts";
import { type Named, type Place, placeIn, providerOf, readerText, writerText } from "./encryption-step.ts";

/** A reload of an EncryptionConfiguration takes a minute, and the report of it half a minute. */
const RELOAD = 5 * 60_000;

/** Definitions, rights and guards, in the order in which they need each other. */
export const objectsStep = (site: Site): Step => ({
  name: "resources and rights",
  patience: 60_000,
  plan: async () => {
    const objects = await wantedObjects(site);
    const changes: ObjectChange[] = [];
    for (const object of objects) {
      const state = await stateOf(site, object);
      if (state.kind === "as wanted") continue;
      const before = state.kind === "other" ? { before: state.before } : {};
      changes.push({ kind: "object", path: pathOf(object), object, ...before });
    }
    if (changes.length > 0) return actIf(changes, `apply ${changes.length} objects`, "");
    const unserved = await unservedDefinitions(site);
    return unserved.length > 0
      ? wait(`the API server does not serve ${unserved.join(", ")} yet`)
      : done(`${objects.length} objects are as this release has them`);
  },
});

async function wantedObjects(site: Site): Promise<KubeObject[]> {
  const { minor } = (await site.kube.request({ method: "GET", path: "/version", signal: site.signal })) as {
    readonly minor?: string;
  };
  // Kubernetes 1.29 has no ValidatingAdmissionPolicy of version v1.
  const guards = Number.parseInt(minor ?? "", 10) >= 30 ? packagedObjects("deploy/admission.yaml") : [];
  const rights = ["rbac", "rewriter", ...(hasApiIdentity(site) ? ["api"] : [])].flatMap((name) =>
    packagedObjects(`deploy/${name}.yaml`),
  );
  const namespaces = rights.filter(({ kind }) => kind === "Namespace");
  const others = rights.filter(({ kind }) => kind !== "Namespace");
  return [...namespaces, ...packagedDefinitions(), ...others, ...guards];
}

async function unservedDefinitions(site: Site): Promise<string[]> {
  const definitions = packagedDefinitions();
  const states = await Promise.all(definitions.map((object) => readObject(site, pathOf(object))));
  return definitions.flatMap(({ metadata: { name } }, at) => {
    const { status } = (states[at] ?? {}) as Pick<MasterKey, "status">;
    return conditionOf(status?.conditions, "Established")?.status === "True" ? [] : [name];
  });
}

/** The MasterKey that the provider serves. One that exists is left as it is. */
export const keyStep = (site: Site): Step => ({
  name: "key",
  patience: 3 * 60_000,
  plan: async () => {
    const facts = await readCluster(site);
    return decideKey(facts.masterKey, ownServer(site, facts), site.nodeName);
  },
});

export function decideKey(
  key: MasterKey | undefined,
  own: KeyServer | undefined,
  nodeName: string,
): StepPlan {
  const name = `${KEY.namespace}/${KEY.name}`;
  if (key === undefined) {
    const [object] = packagedObjects("examples/keys/secrets-key.yaml");
    if (object === undefined) throw new Error("the package has no key");
    return actIf([{ kind: "object", path: pathOf(object), object }], `create MasterKey ${name}`, "");
  }
  const ready = conditionOf(key.status?.conditions, "Ready");
  if (ready?.status !== "True")
    return wait(`MasterKey ${name} is not Ready: ${ready?.message ?? "nobody has looked at it yet"}`);
  const served = own?.status?.providers?.find(({ serves }) => serves === name);
  if (served?.version === undefined) return wait(`node ${nodeName} does not serve MasterKey ${name} yet`);
  return done(`MasterKey ${name} is Ready, and this node serves version ${served.version}`);
}

/**
 * The gate before the first write: every API server must read. kubeadm's configuration follows only then. An
 * upgrade or a join before would render an API server for a node that has no claviger, and it would not start.
 */
export const everyReaderStep = (site: Site): Step => ({
  name: "every API server reads",
  patience: 60_000,
  plan: async () => decideEveryReader(await readCluster(site), site.nodeName),
});

export function decideEveryReader(facts: ClusterFacts, nodeName: string): StepPlan {
  const missing = nodesThatDoNotRead(facts);
  const others = missing.filter((name) => name !== nodeName);
  if (others.length > 0) {
    return blocked(
      `the API servers of these nodes cannot read yet what is stored under claviger: ${others.join(", ")}`,
      `run claviger join and then claviger init there (docs/install/kubeadm.md), and claviger init here again; if a node is gone, delete its Node and its Lease in kube-system`,
    );
  }
  return missing.length > 0
    ? wait("this node's API server does not read yet")
    : done(`of ${Math.max(facts.apiServers.length, facts.controlPlane.length)} API servers all read`);
}

/** The same flags and mounts in kubeadm's configuration, so that an upgrade and a new node have them. */
export const clusterConfigurationStep = (site: Site): Step => ({
  name: "kubeadm-config",
  plan: async () => {
    const before = await readClusterConfiguration(site);
    const missing = missingIn(factsOf(before));
    return actIf(
      missing.length === 0
        ? []
        : [{ kind: "cluster configuration", before, after: withEncryption(before) } as const],
      `add ${missing.join(", ")}`,
      "kubeadm upgrade and kubeadm join keep the flags and mounts",
    );
  },
});

/** Makes claviger the first provider, which writes. The API server reloads the file by itself. */
export const writerStep = (site: Site): Step => ({
  name: "encryption",
  patience: RELOAD,
  plan: async () => {
    const text = textOf(placeOf(site, PATHS.encryptionConfig));
    const provider = providerOf(site);
    const own = ownServer(site, await readCluster(site));
    return decideWriter({ text, place: placeIn(text, provider), provider, writes: writesSecrets(own) });
  },
});

export interface ObservedWriter {
  readonly text: string | undefined;
  readonly place: Place;
  readonly provider: Named;
  /** True if the API server is known to write under claviger. */
  readonly writes: boolean;
}

export function decideWriter({ text, place, provider, writes }: ObservedWriter): StepPlan {
  if (place === "missing") return wait("there is no EncryptionConfiguration yet");
  if (place === "first") {
    return writes
      ? done("this node's API server writes every Secret under claviger")
      : wait("this node's API server reloads its EncryptionConfiguration, which takes about a minute");
  }
  if (text !== readerText(provider)) {
    return blocked(
      `${PATHS.encryptionConfig} was not written by init, and claviger is not its first provider for Secrets`,
      "put claviger's kms entry first by hand, as docs/operations/move.md, says, and run init again",
    );
  }
  const after = writerText(provider);
  const change = { kind: "file", path: PATHS.encryptionConfig, mode: 0o600, before: text, after } as const;
  return act("put claviger first; the API server reloads the file", [change]);
}

/** Waits until the Secrets from before are encrypted and counted. */
export const verifiedStep = (site: Site): Step => ({
  name: "verified",
  patience: 60 * 60_000,
  plan: async () => {
    const { masterKey } = await readCluster(site);
    const condition = conditionOf(masterKey?.status?.conditions, "Reencrypted");
    return condition?.status === "True" && condition.reason === "Verified"
      ? done(condition.message)
      : wait(condition?.message ?? "nobody has looked at the stored objects yet");
  },
});
