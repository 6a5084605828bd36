import { collectionPath, leasesPath, objectPath } from "../../kube/paths.ts";
import { conditionOf } from "../../resources/conditions.ts";
import { firstFew } from "../../resources/first-few.ts";
import { objectText } from "../../resources/object-text.ts";
import type { KeyServer, MasterKey } from "../../resources/resources.ts";
import type { Change, DeletionChange, KubeObject } from "../changes.ts";
import { objectName } from "../changes.ts";
import { readCluster } from "../cluster-facts.ts";
import { readObject } from "../objects/apply-object.ts";
import { pathOf } from "../objects/object-path.ts";
import { packagedDefinitions, packagedObjects, packagedPods } from "../objects/packaged.ts";
import { readOriginals } from "../originals.ts";
import { FOLDERS, PATHS } from "../paths.ts";
import { placeOf, type Site } from "../site.ts";
import { act, actIf, blocked, done, type Step, type StepPlan, wait } from "../step.ts";
import { podPath, podPaths } from "../steps/running-step.ts";
import { unitRemovals } from "../steps/units-step.ts";
import { exists, textOf } from "../text-file.ts";

/** An API server asks for Status every minute, and its silence counts after three. */
const SILENCE = 10 * 60_000;

/** Waits until no API server needs a key any more, by the reports of all nodes. */
export const nobodyReadsStep = (site: Site): Step => ({
  name: "no API server reads",
  patience: SILENCE,
  plan: async () => decideNobodyReads((await readCluster(site)).keyServers, site.nodeName),
});

export function decideNobodyReads(keyServers: readonly KeyServer[], nodeName: string): StepPlan {
  const users = keyServers.filter(needsKeys).map(({ metadata }) => metadata.name);
  const configured = keyServers
    .filter(({ status }) => (status?.providers ?? []).some(({ entries }) => entries !== 0))
    .map(({ metadata }) => metadata.name)
    .filter((name) => name !== nodeName);
  if (configured.length > 0) {
    return blocked(
      `the EncryptionConfiguration of these nodes still has claviger's entry: ${configured.join(", ")}`,
      "run claviger init --undo there, and here again",
    );
  }
  return users.length === 0
    ? done("no API server needs a key")
    : wait(`API servers of ${users.join(", ")} asked for Status in the last three minutes`);
}

/** A report that leaves something out proves nothing. */
const needsKeys = ({ status }: KeyServer): boolean =>
  status?.providers === undefined ||
  status.providers.some(
    ({ entries, notAskedSince, editNotTakenUp }) =>
      entries !== 0 || notAskedSince === undefined || editNotTakenUp !== undefined,
  );

interface List<T> {
  readonly items?: readonly T[];
}

/** Deletes aliases and keys. The operators let a MasterKey go that nothing uses. */
export const keysStep = (site: Site): Step => ({
  name: "keys",
  patience: SILENCE,
  plan: async () => {
    const list = async (kind: "KeyAlias" | "MasterKey") =>
      ((await readObject(site, `${collectionPath(kind)}?limit=500`)) as List<MasterKey> | undefined)?.items ??
      [];
    return decideKeys(await list("KeyAlias"), await list("MasterKey"));
  },
});

type Named = Pick<MasterKey, "metadata" | "status">;

export function decideKeys(aliases: readonly Named[], keys: readonly Named[]): StepPlan {
  const deletion = (kind: "KeyAlias" | "MasterKey", { metadata }: Named): DeletionChange => ({
    kind: "delete",
    path: objectPath(kind, metadata),
    name: `${kind} ${objectText({ metadata })}`,
  });
  if (aliases.length > 0) {
    const changes = aliases.map((alias) => deletion("KeyAlias", alias));
    return act(`delete ${aliases.length} KeyAliases`, changes);
  }
  const used = keys.filter(({ status }) => conditionOf(status?.conditions, "InUse")?.status !== "False");
  const staying = keys.filter(({ metadata }) => metadata.deletionTimestamp === undefined);
  if (used.length > 0 && staying.length > 0) {
    const names = firstFew(used.map(objectText), 5);
    return wait(`the operators do not say yet that nothing uses MasterKey ${names}`);
  }
  if (staying.length > 0) {
    const changes = staying.map((key) => deletion("MasterKey", key));
    return act(`delete ${staying.length} MasterKeys; the keyring of this node keeps them`, changes);
  }
  return keys.length > 0 ? wait("the leading operator lets the keys go") : done("there is none");
}

/** Stops plugin, operator and API on this node, and removes their record, so that other nodes do not wait for it. */
export const stopNodeStep = (site: Site): Step => ({
  name: "plugin and operator",
  patience: 3 * 60_000,
  plan: async () => {
    const pods = podFiles().filter((path) => exists(placeOf(site, path)));
    const removals = pods.map((path) => ({ kind: "remove", path }) as const);
    const stops = [...removals, ...unitRemovals(site)];
    if (stops.length > 0) return actIf(stops, "stop them", "");
    for (const pod of [...podPaths(site), podPath(site, "api")]) {
      if ((await readObject(site, pod)) !== undefined) return wait("the kubelet stops them");
    }
    return actIf(await recordsOf(site), "remove the record of this node", "they do not run");
  },
});

/** The files of the static pods, which init has written or an administrator has copied. */
const podFiles = (): string[] => [...packagedPods().keys()].map((name) => `${PATHS.manifests}/${name}`);

async function recordsOf(site: Site): Promise<Change[]> {
  const { nodeName } = site;
  const records = [
    { path: objectPath("KeyServer", { name: nodeName }), name: `KeyServer ${nodeName}` },
    { path: `${leasesPath("claviger-system")}/claviger-node-${nodeName}`, name: `Lease of node ${nodeName}` },
  ];
  const found = await Promise.all(records.map(({ path }) => readObject(site, path)));
  return records.flatMap((record, at) =>
    found[at] === undefined ? [] : [{ kind: "delete", ...record } as const],
  );
}

/** Removes definitions, rights and guards, if no other node is left. */
export const objectsGoneStep = (site: Site): Step => ({
  name: "resources and rights",
  patience: 5 * 60_000,
  plan: async () => {
    const others = (await readCluster(site)).keyServers.map(({ metadata }) => metadata.name);
    if (others.length > 0) return done(`left to the last node; there are still ${firstFew(others, 5)}`);
    const objects = await Promise.all(
      deletedObjects().map(async (object) => ({ object, found: await readObject(site, pathOf(object)) })),
    );
    return decideObjects(objects.filter(({ found }) => found !== undefined));
  },
});

/** Definitions first and the Namespace last, whose guard is one of the objects before it. */
function deletedObjects(): KubeObject[] {
  const names = ["admission", "pod-environment", "rewriter", "storage-version-migration", "api", "rbac"];
  const others = names.flatMap((name) => packagedObjects(`deploy/${name}.yaml`));
  const namespaces = others.filter(({ kind }) => kind === "Namespace");
  return [...packagedDefinitions(), ...others.filter(({ kind }) => kind !== "Namespace"), ...namespaces];
}

interface Found {
  readonly object: KubeObject;
  readonly found: unknown;
}

export function decideObjects(left: readonly Found[]): StepPlan {
  const staying = left.filter(({ found }) => !isLeaving(found));
  const namespaces = staying.filter(({ object, found }) => object.kind === "Namespace" && !isAllowed(found));
  const changes: Change[] = staying.map(({ object }) => ({
    kind: "delete",
    path: pathOf(object),
    name: objectName(object),
  }));
  if (staying.length > 0) {
    return act(`delete ${staying.length} objects`, [...namespaces.map(allowed), ...changes]);
  }
  return left.length > 0
    ? wait(
        `the API server still deletes ${firstFew(
          left.map(({ object }) => objectName(object)),
          3,
        )}`,
      )
    : done("nothing of claviger is left in the cluster");
}

const isLeaving = (found: unknown): boolean =>
  (found as { readonly metadata: { readonly deletionTimestamp?: string } }).metadata.deletionTimestamp !==
  undefined;

const ALLOWED = "kms.claviger.dev/allow-deletion";

const isAllowed = (found: unknown): boolean =>
  (found as { readonly metadata: { readonly annotations?: Record<string, string> } }).metadata.annotations?.[
    ALLOWED
  ] !== undefined;

/** The guard of the namespace lets it be deleted with this annotation only. */
function allowed({ object }: Found): Change {
  const annotations = { [ALLOWED]: "yes" };
  const marked = { ...object, metadata: { ...object.metadata, annotations } };
  return { kind: "object", path: pathOf(object), object: marked, before: object };
}

/** Puts every file back as it was. The root key and the keyring stay, unless they are to be forgotten. */
export const filesStep = (site: Site, forget: boolean): Step => ({
  name: "files",
  plan: async () => {
    const changes: Change[] = [];
    for (const [path, kept] of readOriginals(site)) {
      const before = textOf(placeOf(site, path));
      const after = kept ?? undefined;
      // kubeadm has rendered the API server's anew, perhaps for a later release; and pods are stopped for good.
      if (path === PATHS.apiServer || podFiles().includes(path) || before === after) continue;
      changes.push({ kind: "file", path, mode: 0o600, before, after });
    }
    const remove = (paths: readonly string[]) =>
      paths.filter((path) => exists(placeOf(site, path))).map((path) => ({ kind: "remove", path }) as const);
    const folders = forget ? FOLDERS : FOLDERS.filter((path) => !KEPT.includes(path));
    changes.push(...remove([PATHS.joinKey, ...folders, PATHS.originals]));
    return actIf(
      changes,
      "put the files back as they were",
      forget
        ? "nothing of claviger is left on this node"
        : `${KEPT.join(" and ")} stay: backups of etcd from before need them`,
    );
  },
});

/** The folders of the root key and of the keyring. */
const KEPT: readonly string[] = ["/etc/claviger", "/var/lib/claviger"];
