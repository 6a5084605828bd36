import { describe, expect, it, test } from "vitest";
import type { MasterKeyStatus } from "../../resources/schemas/master-key.ts";
import { MemoryTrail } from "../../testing/memory-trail.ts";
import { keyVersion, statusWith } from "../../testing/objects.ts";
import { LeaderAudit } from "./leader-audit.ts";
import { keyAliasRecords, masterKeyRecords } from "./status-records.ts";

const first: MasterKeyStatus = { ...statusWith(keyVersion(1)), keyState: "Enabled" };
const second: MasterKeyStatus = { ...statusWith(keyVersion(2)), keyState: "Enabled" };
const inState = (keyState: NonNullable<MasterKeyStatus["keyState"]>): MasterKeyStatus => ({
  ...first,
  keyState,
});
const namesOf = (before: MasterKeyStatus | undefined, after: MasterKeyStatus): string[] =>
  masterKeyRecords(before, after).map(({ name }) => name);

describe("a MasterKey", () => {
  test("whose status stays => no record", () => {
    expect(namesOf(first, first)).toEqual([]);
  });

  test("whose first version is promoted => CreateKey, and no EnableKey", () => {
    expect(namesOf({ keyState: "Creating" }, first)).toEqual(["CreateKey"]);
  });

  test.each([
    ["Automatic", "AUTOMATIC"],
    ["OnDemand", "ON_DEMAND"],
    ["Imported", "IMPORTED"],
  ] as const)("whose next version is promoted, %s => RotateKey, %s", (trigger, rotationType) => {
    const running = { trigger, number: 2, startedAt: "2026-01-01T00:00:00Z", phase: "Switching" } as const;
    expect(masterKeyRecords(first, { ...second, rotation: { running } })).toMatchObject([
      { name: "RotateKey", details: { rotationType, previousVersion: 1, currentVersion: 2 } },
    ]);
  });

  test.each([
    ["Enabled", "Disabled", ["DisableKey"]],
    ["Disabled", "Enabled", ["EnableKey"]],
    ["Enabled", "PendingDeletion", ["ScheduleKeyDeletion"]],
    ["PendingDeletion", "Disabled", ["CancelKeyDeletion", "DisableKey"]],
    ["PendingDeletion", "Enabled", ["CancelKeyDeletion"]],
    ["PendingDeletion", "Destroyed", ["DeleteKey"]],
    ["Enabled", "PendingImport", ["KeyMaterialUnavailable"]],
    ["PendingImport", "Enabled", []],
  ] as const)("%s, then %s => %j", (before, after, names) => {
    expect(namesOf(inState(before), inState(after))).toEqual(names);
  });
});

test("an alias that moves => UpdateAlias with both keys; an alias that stays => no record", () => {
  expect(keyAliasRecords({ keyId: "a" }, { keyId: "b", arn: "arn" })).toEqual([
    { name: "UpdateAlias", details: { aliasArn: "arn", previousKeyId: "a", targetKeyId: "b" } },
  ]);
  expect(keyAliasRecords(undefined, { keyId: "b" })).toMatchObject([{ name: "CreateAlias" }]);
  expect(keyAliasRecords({ keyId: "b" }, { keyId: "b" })).toEqual([]);
});

describe("the leader", () => {
  const site = { account: "000000000000", region: "us-local-1" };
  const record = { name: "RotateKey", details: {} };

  it("has the record on the disk before it writes the change", async () => {
    const trail = new MemoryTrail();
    await new LeaderAudit(trail, site, () => 0).record("key-1", [record]);
    expect(trail.records).toMatchObject([
      {
        eventName: "RotateKey",
        eventType: "AwsServiceEvent",
        additionalEventData: { door: "operator" },
        resources: [{ ARN: "arn:aws:kms:us-local-1:000000000000:key/key-1" }],
      },
    ]);
  });

  it("is not stopped by a log that fails", async () => {
    const trail = new MemoryTrail();
    trail.works = false;
    await new LeaderAudit(trail, site, () => 0).record("key-1", [record]);
    expect(trail.records).toEqual([]);
  });

  it("does not wait for a log that has failed before and does not answer", async () => {
    const failing = new MemoryTrail();
    failing.works = false;
    await failing.append("").catch(() => undefined);
    const { problem } = failing;
    const hung = { problem, append: () => new Promise<void>(() => undefined), close: async () => undefined };
    await new LeaderAudit(hung, site, () => 0).record("key-1", [record]);
  });
});
