import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { describe, expect, it } from "vitest";
import { KeyringReader } from "../../src/keyring/reader.ts";
import { conditionOf } from "../../src/resources/conditions.ts";
import type { KeyAlias, KeyGrant, KeyServer, KeyVersion, MasterKey } from "../../src/resources/resources.ts";
import { WRITE_POINTS, type WritePoint, type WriteSide } from "../../src/write-points.ts";
import { periodIsRecorded } from "../cluster/waiting-periods.ts";
import { eventually, Hopeless } from "../controlplane/wait.ts";
import { Installation, keyAlias, keyGrant, masterKey } from "./installation.ts";

const KEY = { namespace: "claviger-system", name: "secrets" };
/** The flow of one key does not pass any write point more often than this. */
const MOST_OCCURRENCES = 12;
const destructionPoints: readonly WritePoint[] = ["keyversion.destroy", "keyring.scrub"];
/** These have tests below. Those of backups are in backup.test.ts. */
const grantPoints: readonly WritePoint[] = ["keygrant.status", "keyring.grants"];
const ownTests: readonly WritePoint[] = ["keyversion.seal", ...destructionPoints, ...grantPoints];
const backupPoints: readonly WritePoint[] = ["backup.publish", "restore.publish"];
/** Manifests have no finalizers, so nothing is written there. */
const otherFlows: readonly WritePoint[] = [...ownTests, ...backupPoints, "masterkey.finalizers"];
/** Those of the audit log are in src/audit/log/crash.test.ts. */
const auditPoints = WRITE_POINTS.filter((point) => point.startsWith("audit."));
const MONTH_SECONDS = 31 * 86_400;
const flowPoints = WRITE_POINTS.filter((point) => ![...otherFlows, ...auditPoints].includes(point));
const sides: readonly WriteSide[] = ["before", "after"];

interface Stored {
  readonly masterKeys: readonly MasterKey[];
  readonly keyVersions: readonly KeyVersion[];
  readonly keyAliases: readonly KeyAlias[];
  readonly keyServers: readonly KeyServer[];
  readonly current: string | undefined;
  readonly versions: number;
}

/** Returns the resources and the keyring on disk, or undefined while there is nothing. */
function stored(installation: Installation): Stored | undefined {
  let reader: KeyringReader;
  try {
    reader = KeyringReader.open(installation.keyringPath);
  } catch {
    return undefined;
  }
  try {
    const { objects, versions } = reader.image();
    const ofKind = <T>(kind: string): T[] =>
      objects.filter((object) => object.kind === kind).map(({ json }) => JSON.parse(json));
    return {
      masterKeys: ofKind("MasterKey"),
      keyVersions: ofKind("KeyVersion"),
      keyAliases: ofKind("KeyAlias"),
      keyServers: ofKind("KeyServer"),
      current: reader.snapshot().keys.get(`${KEY.namespace}/${KEY.name}`)?.current?.versionId,
      versions: versions.length,
    };
  } finally {
    reader.close();
  }
}

const isReady = (object: MasterKey | KeyAlias | undefined): boolean =>
  conditionOf(object?.status?.conditions, "Ready")?.status === "True";

/**
 * Returns the key_id if there is one version, current in resources and keyring alike, served by key and
 * alias, and reported.
 */
function settled(installation: Installation): string | undefined {
  const now = stored(installation);
  const [masterKey, alias] = [now?.masterKeys[0], now?.keyAliases[0]];
  const [version] = now?.keyVersions ?? [];
  const current = masterKey?.status?.currentVersion;
  const whole =
    now !== undefined &&
    current !== undefined &&
    now.keyVersions.length === 1 &&
    now.versions === 1 &&
    version?.spec.keyId === masterKey?.status?.keyId &&
    version?.status?.state === "Current" &&
    version.spec.versionId === current.versionId &&
    version.status.kmsKeyId === current.kmsKeyId &&
    now.current === current.versionId &&
    now.keyServers.length === 1 &&
    now.keyServers[0]?.status?.versions === 1 &&
    isReady(masterKey) &&
    isReady(alias);
  return whole ? current.versionId : undefined;
}

describe("an operator killed at every one of its write points", () => {
  const killedAt = new Set<string>();

  /**
   * Returns true if it died at the point during the very first start. Then the next start must end as if
   * nothing had happened.
   */
  const killedAndConverges = async (target: string): Promise<boolean> => {
    await using installation = await Installation.create();
    await installation.manifest("alias.yaml", keyAlias("main", KEY.name));
    const operator = await installation.start("operator", { CLAVIGER_KILL_AT: target });
    await eventually(`it is settled, or dead at ${target}`, async () => {
      return !operator.process.alive || settled(installation) !== undefined;
    });
    // An operator that its last write killed looks settled before its end is noticed: only its exit shows it.
    const { code, signal } = await operator.process.stop(120_000);
    if (signal === null) {
      expect(code).toBe(0);
      return false;
    }
    expect(signal).toBe("SIGKILL");
    const before = stored(installation);
    await installation.start("operator");
    const versionId = await eventually(`it is settled after ${target}`, async () => settled(installation));
    // The version under which somebody may have encrypted already must stay.
    expect(before?.current ?? versionId).toBe(versionId);
    expect(before?.keyVersions[0]?.spec.versionId ?? versionId).toBe(versionId);
    return true;
  };

  it.each(flowPoints.flatMap((point) => sides.map((side) => [side, point] as const)))(
    "%s %s, each time that it comes: the next start ends with one current version",
    async (side: WriteSide, point: WritePoint) => {
      for (let occurrence = 1; occurrence <= MOST_OCCURRENCES; occurrence++) {
        if (!(await killedAndConverges(`${point}:${side}:${occurrence}`))) return;
        killedAt.add(`${side} ${point}`);
      }
      throw new Hopeless(`the operator still dies at ${point} after ${MOST_OCCURRENCES} times`);
    },
  );

  it.each(sides)("%s keyversion.seal: an altered seal is put right by the next start", async (side) => {
    await using installation = await Installation.create();
    await installation.manifest("alias.yaml", keyAlias("main", KEY.name));
    const operator = await installation.start("operator");
    await eventually("it is settled", async () => settled(installation));
    await operator.process.stop();
    const genuine = alterSeal(installation);
    const killed = await installation.start("operator", { CLAVIGER_KILL_AT: `keyversion.seal:${side}` });
    expect((await killed.process.exited).signal).toBe("SIGKILL");
    killedAt.add(`${side} keyversion.seal`);
    await installation.start("operator");
    await eventually("the seal is the node's own again", async () => {
      return stored(installation)?.keyVersions[0]?.spec.seal?.sealed === genuine;
    });
    await eventually("it is settled again", async () => settled(installation));
  });

  it.each(destructionPoints.flatMap((point) => sides.map((side) => [side, point] as const)))(
    "%s %s: the next start ends what was being destroyed, and leaves the other key alone",
    async (side, point) => {
      await using installation = await Installation.create();
      const clock = join(installation.dir, "clock");
      const environment = { CLAVIGER_TEST_CLOCK: clock };
      await writeFile(clock, "0");
      await installation.manifest(
        "old.yaml",
        masterKey("old", { deletion: { pendingWindowInDays: 7, withoutCensus: true } }),
      );
      const operator = await installation.start("operator", environment);
      const versionOf = (name: string) =>
        stored(installation)?.keyVersions.find(({ spec }) => spec.masterKey.name === name);
      await eventually("the deletion was accepted, and the other key is there", async () => {
        return (
          versionOf("old")?.status?.deletion !== undefined && stored(installation)?.current !== undefined
        );
      });
      await operator.process.stop();
      const { current } = stored(installation) ?? {};
      const killed = await installation.start("operator", {
        ...environment,
        CLAVIGER_KILL_AT: `${point}:${side}`,
      });
      // The only node of an installation cannot know how much time passes while no operator runs.
      await killed.line(/the clock is changed/);
      await periodIsRecorded([installation], versionOf("old")?.spec.keyId ?? "");
      await writeFile(clock, String(MONTH_SECONDS));
      expect((await killed.process.exited).signal).toBe("SIGKILL");
      killedAt.add(`${side} ${point}`);
      await installation.start("operator", environment);
      await eventually("nothing of it is left", async () => versionOf("old")?.status?.erasedAt !== undefined);
      expect(versionOf("old")?.spec.seal).toBeUndefined();
      expect(stored(installation)).toMatchObject({ current, versions: 1 });
    },
  );

  it.each(grantPoints.flatMap((point) => sides.map((side) => [side, point] as const)))(
    "%s %s: the next start ends with the grant accepted and recorded, as the same grant",
    async (side, point) => {
      await using installation = await Installation.create();
      await installation.manifest("grant.yaml", keyGrant("reads", KEY.name));
      const killed = await installation.start("operator", { CLAVIGER_KILL_AT: `${point}:${side}` });
      expect((await killed.process.exited).signal).toBe("SIGKILL");
      killedAt.add(`${side} ${point}`);
      const [before] = storedGrants(installation).objects;
      await installation.start("operator");
      await eventually("the grant is accepted and recorded", async () => {
        const { objects, rows } = storedGrants(installation);
        const status = objects[0]?.status;
        return status?.phase === "Active" && rows.length === 1 && rows[0]?.grantId === status.grantId;
      });
      const [after] = storedGrants(installation).objects;
      expect(after?.metadata.uid).toBe(before?.metadata.uid);
    },
  );

  it("every write point that standalone mode reaches was died at, on both sides", () => {
    const reached = [...flowPoints, ...ownTests].flatMap((point) => sides.map((side) => `${side} ${point}`));
    expect([...killedAt].sort()).toEqual(reached.sort());
  });
});

/** Returns the KeyGrants, and the node's records of them. */
function storedGrants({ keyringPath }: Installation) {
  const reader = KeyringReader.open(keyringPath);
  try {
    const objects = reader.objectsOf("KeyGrant").map(({ json }): KeyGrant => JSON.parse(json));
    return { objects, rows: reader.grantsAfter(0, 10).flatMap(({ grant }) => grant ?? []) };
  } finally {
    reader.close();
  }
}

/** Alters the KeyVersion's seal behind the operator's back. Returns the genuine seal. */
function alterSeal(installation: Installation): string {
  using db = new DatabaseSync(installation.keyringPath);
  const row = db.prepare("SELECT name, json FROM objects WHERE kind = 'KeyVersion'").get();
  const version: KeyVersion = JSON.parse(String(row?.json));
  const genuine = version.spec.seal?.sealed ?? "";
  const bytes = Buffer.from(genuine, "base64");
  bytes[bytes.length - 1] = (bytes.at(-1) ?? 0) ^ 1;
  const seal = { ...version.spec.seal, sealed: bytes.toString("base64") };
  const altered = { ...version, spec: { ...version.spec, seal } };
  db.prepare("UPDATE objects SET json = ? WHERE kind = 'KeyVersion'").run(JSON.stringify(altered));
  return genuine;
}
