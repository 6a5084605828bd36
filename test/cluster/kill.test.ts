import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { KeyringReader } from "../../src/keyring/reader.ts";
import { collectionPath, leasesPath, objectPath } from "../../src/kube/paths.ts";
import { conditionOf } from "../../src/resources/conditions.ts";
import { FINALIZER } from "../../src/resources/finalizer.ts";
import type { KeyVersion, Kind, MasterKey } from "../../src/resources/resources.ts";
import { WRITE_POINTS, type WritePoint, type WriteSide } from "../../src/write-points.ts";
import { controlPlaneBinaries } from "../controlplane/binaries.ts";
import { eventually, Hopeless } from "../controlplane/wait.ts";
import { applyKey, type Cluster, startCluster } from "./cluster.ts";
import type { ClavigerNode } from "./node.ts";
import { periodIsRecorded } from "./waiting-periods.ts";

const binaries = await controlPlaneBinaries();
const NAMESPACE = "claviger-system";
/** The flow of one key passes no write point as often as this. */
const MOST_ATTEMPTS = 14;

/** The write points of commands have tests of their own. */
const commandPoints = WRITE_POINTS.filter((point) => /^(backup|restore)\./.test(point));
/** test/standalone/kill.test.ts kills the same code at these. */
const grantPoints: readonly WritePoint[] = ["keygrant.status", "keyring.grants"];
/** Points of the audit log, whose own test is src/audit/log/crash.test.ts. */
const auditPoints = WRITE_POINTS.filter((point) => point.startsWith("audit."));
const operatorPoints = WRITE_POINTS.filter(
  (point) => ![...commandPoints, ...grantPoints, ...auditPoints].includes(point),
);
/** Write points that the flow of a new key and alias does not pass: they have tests of their own. */
const destructionPoints: readonly WritePoint[] = ["keyversion.destroy", "keyring.scrub"];
const ownTests: readonly WritePoint[] = ["keyversion.seal", ...destructionPoints];
const MONTH_SECONDS = 31 * 86_400;
const flowPoints = operatorPoints.filter((point) => !ownTests.includes(point));
const sides: readonly WriteSide[] = ["before", "after"];

describe.skipIf(binaries === undefined)("an operator killed at every one of its write points", () => {
  const killedAt = new Set<string>();
  let cluster: Cluster;
  /** Whose operator leads, and so does all of the writing. */
  let victim: ClavigerNode;

  beforeAll(async () => {
    cluster = await startCluster({ nodes: 2, environment: { CLAVIGER_TEST_SETTLE_SECONDS: "10" } });
    await applyKey(cluster);
    victim = await leader();
  });
  afterAll(() => cluster?.stop());

  const leader = async (): Promise<ClavigerNode> => {
    const path = `${leasesPath(NAMESPACE)}/claviger-operator`;
    const { spec } = await cluster.read<{ readonly spec: { readonly holderIdentity?: string } }>(path);
    const found = cluster.nodes.find(({ name }) => name === spec.holderIdentity);
    if (found === undefined) throw new Error(`the leader ${spec.holderIdentity} is not one of the nodes`);
    return found;
  };
  const applyKeyAndAlias = (name: string) =>
    cluster.kubectl(
      ["apply", "-f", "-"],
      [
        { kind: "MasterKey", spec: {} },
        { kind: "KeyAlias", spec: { masterKey: name } },
      ]
        .map((object) =>
          JSON.stringify({
            apiVersion: "kms.claviger.dev/v1alpha1",
            ...object,
            metadata: { namespace: NAMESPACE, name },
          }),
        )
        .join("\n---\n"),
    );
  const getMasterKey = (name: string, kind: Kind = "MasterKey") =>
    cluster.read<MasterKey>(objectPath(kind, { namespace: NAMESPACE, name }));
  const keyVersions = async (): Promise<readonly KeyVersion[]> =>
    (await cluster.read<{ readonly items: readonly KeyVersion[] }>(collectionPath("KeyVersion"))).items;
  const isReady = async (kind: "MasterKey" | "KeyAlias", name: string): Promise<boolean> => {
    const { status } = await getMasterKey(name, kind);
    return conditionOf(status?.conditions, "Ready")?.status === "True";
  };

  /** Returns what is said and stored of a key, unless it has one current version, the same one everywhere. */
  const unsettled = async (name: string): Promise<string | undefined> => {
    const masterKey = await getMasterKey(name);
    const versions = (await keyVersions()).filter(({ spec }) => spec.masterKey.name === name);
    const current = masterKey.status?.currentVersion;
    const keyrings = cluster.nodes.map((node) => currentIn(node, name));
    const isSettled =
      current !== undefined &&
      versions.every(({ spec }) => spec.keyId === masterKey.status?.keyId) &&
      versions.filter(({ status }) => status?.state === "Current").length === 1 &&
      versions.length === 1 &&
      versions[0]?.spec.versionId === current.versionId &&
      versions[0]?.status?.kmsKeyId === current.kmsKeyId &&
      keyrings.every((versionId) => versionId === current.versionId) &&
      (await isReady("MasterKey", name)) &&
      (await isReady("KeyAlias", name));
    return isSettled ? undefined : JSON.stringify({ status: masterKey.status, versions, keyrings });
  };
  const mustBeSettled = async (name: string): Promise<true> => {
    const found = await unsettled(name);
    if (found !== undefined) throw new Error(found);
    return true;
  };

  /**
   * Kills the leader at that point while it makes the key. It may come through, or lead no more: on a
   * busy machine its restart may take longer than its Lease lasts.
   */
  const killWhileMaking = async (name: string, target: string): Promise<"died" | "alive" | "deposed"> => {
    victim = await leader();
    // Not a clean stop, which would release the Lease.
    await victim.kill9("operator");
    const running = await victim.start("operator", { CLAVIGER_KILL_AT: target });
    await applyKeyAndAlias(name);
    await eventually(`${name} is settled, or the operator is dead`, async () => {
      if (!running.alive) return true;
      // Only if nothing is left to write, in the victim's own keyring either, has it come through.
      const { metadata } = await getMasterKey(name);
      return metadata.finalizers?.includes(FINALIZER) === true && (await mustBeSettled(name));
    });
    if (running.alive) return (await leader()) === victim ? "alive" : "deposed";
    expect((await running.exited).signal).toBe("SIGKILL");
    await victim.start("operator");
    return "died";
  };

  it.each(flowPoints.flatMap((point) => sides.map((side) => [side, point] as const)))(
    "%s %s: the key ends with one current version, the same on every node",
    async (side: WriteSide, point: WritePoint) => {
      let occurrence = 1;
      for (let attempt = 1; attempt <= MOST_ATTEMPTS; attempt++) {
        const target = `${point}:${side}:${occurrence}`;
        const name = `${target.replaceAll(":", ".")}.${attempt}`;
        const outcome = await killWhileMaking(name, target);
        if (outcome === "died") killedAt.add(`${side} ${point}`);
        await eventually(`${name} is settled`, () => mustBeSettled(name));
        if (outcome === "alive") return;
        if (outcome === "died") occurrence++;
      }
      throw new Hopeless(
        `the operator still dies at ${point}, or leads no more, after ${MOST_ATTEMPTS} times`,
      );
    },
  );

  it.each(sides)("%s keyversion.seal: an altered seal is put right by the next start", async (side) => {
    for (const node of cluster.nodes) await node.stop("operator");
    const [version] = await keyVersions();
    if (version === undefined) throw new Error("there is no KeyVersion");
    const sealed = Buffer.from(sealOf(version).sealed, "base64");
    sealed[sealed.length - 1] = (sealed.at(-1) ?? 0) ^ 1;
    const patch = JSON.stringify({ spec: { seal: { sealed: sealed.toString("base64") } } });
    await cluster.kubectl(["patch", "kv", version.metadata.name, "--type=merge", "-p", patch]);
    const running = await victim.start("operator", { CLAVIGER_KILL_AT: `keyversion.seal:${side}` });
    expect((await running.exited).signal).toBe("SIGKILL");
    killedAt.add(`${side} keyversion.seal`);
    for (const node of cluster.nodes) await node.start("operator");
    await eventually("the seal is the node's own again", async () => {
      const now = await cluster.read<KeyVersion>(objectPath("KeyVersion", version.metadata));
      return sealOf(now).sealed === sealOf(version).sealed;
    });
  });

  it.each(destructionPoints.flatMap((point) => sides.map((side) => [side, point] as const)))(
    "%s %s: what was being destroyed ends destroyed, on every node",
    async (side: WriteSide, point: WritePoint) => {
      const name = `destroyed.${side}.${point}`;
      const clock = join(cluster.plane.dir, "clock");
      const environment = { CLAVIGER_TEST_CLOCK: clock };
      await writeFile(clock, "0");
      for (const node of cluster.nodes) await node.kill9("operator");
      // The leader destroys.
      await victim.start("operator", { ...environment, CLAVIGER_KILL_AT: `${point}:${side}` });
      await eventually("the victim leads", async () => (await leader()) === victim);
      for (const node of cluster.nodes.filter((other) => other !== victim)) {
        await node.start("operator", environment);
      }
      const object = {
        apiVersion: "kms.claviger.dev/v1alpha1",
        kind: "MasterKey",
        metadata: { namespace: NAMESPACE, name },
      };
      const apply = (spec: object) =>
        cluster.kubectl(["apply", "-f", "-"], JSON.stringify({ ...object, spec }));
      const version = async () => (await keyVersions()).find(({ spec }) => spec.masterKey.name === name);
      await apply({});
      await eventually(`${name} is ready`, () => isReady("MasterKey", name));
      await apply({ deletion: { pendingWindowInDays: 7 } });
      await eventually("its version knows", async () => (await version())?.status?.deletion !== undefined);
      const { keyId = "" } = (await version())?.spec ?? {};
      await periodIsRecorded(cluster.nodes, keyId);
      await writeFile(clock, String(MONTH_SECONDS));
      await eventually("the victim is dead, or did not have to write", async () => {
        return victim.running("operator") === undefined || (await version())?.status?.erasedAt !== undefined;
      });
      if (victim.running("operator") === undefined) killedAt.add(`${side} ${point}`);
      await victim.kill9("operator");
      await victim.start("operator", environment);
      await eventually("it is erased everywhere", async () => {
        return (await version())?.status?.erasedAt !== undefined;
      });
      const { versionId = "" } = (await version())?.spec ?? {};
      expect(cluster.nodes.filter((node) => holds(node, versionId)).map((node) => node.name)).toEqual([]);
    },
  );

  it("every write point was died at, on both sides", () => {
    const all = operatorPoints.flatMap((point) => sides.map((side) => `${side} ${point}`));
    expect([...killedAt].sort()).toEqual(all.sort());
  });
});

function currentIn(node: ClavigerNode, name: string): string | undefined {
  const reader = KeyringReader.open(node.keyringPath);
  try {
    return reader.snapshot().keys.get(`${NAMESPACE}/${name}`)?.current?.versionId;
  } finally {
    reader.close();
  }
}

function sealOf({ metadata, spec }: KeyVersion): NonNullable<KeyVersion["spec"]["seal"]> {
  if (spec.seal === undefined) throw new Error(`${metadata.name} has no seal`);
  return spec.seal;
}

function holds(node: ClavigerNode, versionId: string): boolean {
  const reader = KeyringReader.open(node.keyringPath);
  try {
    return reader.version(versionId) !== undefined;
  } finally {
    reader.close();
  }
}
