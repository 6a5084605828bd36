import { describe, expect, test } from "vitest";
import { noteOf } from "../store/log-event.ts";
import { condition, currentVersion, keyId, keyVersion, statusWith } from "../testing/objects.ts";
import { keyAliasEvents, keyGrantEvents, masterKeyEvents } from "./events.ts";

const v1 = keyVersion(1);
const v2 = keyVersion(2);
const ready = { conditions: [condition("Ready"), condition("Distributed")] };
const waiting = (reason: string, message = "it waits") => ({
  conditions: [condition("Distributed", { status: "False", reason, message })],
});

describe("rotation", () => {
  const at = "2026-01-02T00:00:00Z";
  const running = { trigger: "OnDemand", number: 2, startedAt: at, phase: "Distributing" } as const;
  const last = { trigger: "OnDemand", number: 2, startedAt: at, completedAt: at, verified: true } as const;
  const done = { conditions: [condition("Reencrypted", { reason: "Verified", message: "nothing is left" })] };
  const running1 = { conditions: [condition("Reencrypted", { status: "False", reason: "Verifying" })] };

  test("it begins => RotationBegan with number and trigger, once", () => {
    expect(masterKeyEvents({}, { rotation: { running } })).toEqual([
      { type: "Normal", reason: "RotationBegan", message: "the rotation to version 2 began (OnDemand)" },
    ]);
    const further = { ...running, phase: "Verifying" } as const;
    expect(masterKeyEvents({ rotation: { running } }, { rotation: { running: further } })).toEqual([]);
  });
  test("it is finished => RotationComplete and Reencrypted", () => {
    const events = masterKeyEvents({ rotation: { running }, ...running1 }, { rotation: { last }, ...done });
    expect(events.map(({ reason }) => reason)).toEqual(["RotationComplete", "Reencrypted"]);
  });
  test("what proved that stored data followed is gone => ProofTakenBack; a rotation that begins is told as such", () => {
    const verifying = {
      phase: "Verifying",
      verified: false,
      resources: ["secrets"],
      startedAt: at,
      round: 1,
    } as const;
    const stored = (kmsKeyId: string) => ({ reencryption: { kmsKeyId, ...verifying } });
    const before = { ...done, ...stored("k1") };
    expect(masterKeyEvents(before, { ...running1, ...stored("k1") })).toMatchObject([
      { type: "Normal", reason: "ProofTakenBack" },
    ]);
    expect(masterKeyEvents(before, { ...running1, ...stored("k2") })).toEqual([]);
  });
  test("objects are left => a warning by name; the steps before were none", () => {
    const left = { status: "False", reason: "ObjectsLeft", message: "secrets a/b (Forbidden)" } as const;
    expect(masterKeyEvents(running1, { conditions: [condition("Reencrypted", left)] })).toEqual([
      { type: "Warning", reason: "ObjectsLeft", message: "secrets a/b (Forbidden)" },
    ]);
    expect(masterKeyEvents({}, running1)).toEqual([]);
  });
});

describe("deletion", () => {
  const deletion = { scheduledAt: "2026-01-02T00:00:00Z", deletionDate: "2026-02-01T00:00:00Z" };
  const pending = { keyState: "PendingDeletion", deletion } as const;

  test("it is cancelled => DeletionCancelled with its date and what the key is now, once", () => {
    expect(masterKeyEvents(pending, { keyState: "Disabled" })).toEqual([
      {
        type: "Normal",
        reason: "DeletionCancelled",
        message: "the deletion after 2026-02-01T00:00:00Z is cancelled; the key is Disabled",
      },
    ]);
    expect(masterKeyEvents({ keyState: "Disabled" }, { keyState: "Enabled" })).toEqual([]);
  });
  test("it goes on, or its end was reached => no DeletionCancelled", () => {
    expect(masterKeyEvents(pending, pending)).toEqual([]);
    expect(masterKeyEvents(pending, { keyState: "Destroyed", deletion })).toEqual([]);
  });
});

describe("masterKeyEvents", () => {
  test("nothing changed => no events", () => {
    const status = { ...statusWith(v1), ...ready };
    expect(masterKeyEvents(status, status)).toEqual([]);
  });
  test("the first keyId => KeyIdAssigned", () => {
    expect(masterKeyEvents(undefined, { keyId: keyId(1) })).toEqual([
      { type: "Normal", reason: "KeyIdAssigned", message: `keyId is ${keyId(1)}` },
    ]);
  });
  test("another current version => VersionPromoted with number and key_id", () => {
    const message = `version 2 is current, with key_id ${currentVersion(v2).kmsKeyId}`;
    expect(masterKeyEvents(statusWith(v1), statusWith(v2))).toEqual([
      { type: "Normal", reason: "VersionPromoted", message },
    ]);
  });
  test("the same number under another id => VersionPromoted too", () => {
    const twin = keyVersion(1, { spec: { versionId: v2.spec.versionId } });
    expect(masterKeyEvents(statusWith(v1), statusWith(twin)).map(({ reason }) => reason)).toEqual([
      "VersionPromoted",
    ]);
  });
  test("Distributed falls => a warning with the condition's words", () => {
    expect(masterKeyEvents(ready, waiting("NodeNotHeardOf"))).toEqual([
      { type: "Warning", reason: "NodeNotHeardOf", message: "it waits" },
    ]);
  });
  test("it waits on for the same reason with other words => no second event", () => {
    const before = waiting("NodeNotHeardOf", "waiting for a, b");
    expect(masterKeyEvents(before, waiting("NodeNotHeardOf", "waiting for b"))).toEqual([]);
  });
  test("it waits for another reason => a warning", () => {
    const events = masterKeyEvents(waiting("NoKeyServers"), waiting("NodeNotReady"));
    expect(events.map(({ reason }) => reason)).toEqual(["NodeNotReady"]);
  });
  test.each(["Creating", "WaitingForNodes"])("%s passes by itself => no warning", (reason) => {
    expect(masterKeyEvents(undefined, waiting(reason))).toEqual([]);
  });
  test("what passed by itself begins to need somebody => a warning", () => {
    const events = masterKeyEvents(waiting("WaitingForNodes"), waiting("NodeNotHeardOf"));
    expect(events.map(({ reason }) => reason)).toEqual(["NodeNotHeardOf"]);
  });
  test("what a key waits for is counted, and then cannot be => one warning, when it cannot be", () => {
    const blocked = (reason: string) => ({
      conditions: [condition("DeletionBlocked", { status: "True", reason, message: reason })],
    });
    expect(masterKeyEvents(undefined, blocked("Counting"))).toEqual([]);
    expect(masterKeyEvents(blocked("Counting"), blocked("NotCounted"))).toEqual([
      { type: "Warning", reason: "NotCounted", message: "NotCounted" },
    ]);
  });
  test("both conditions fall => both are told", () => {
    const after = {
      conditions: ["Ready", "Distributed"].map((type) =>
        condition(type, { status: "False", reason: `${type}Fell` }),
      ),
    };
    expect(masterKeyEvents(ready, after).map(({ reason }) => reason)).toEqual([
      "DistributedFell",
      "ReadyFell",
    ]);
  });
  test("a condition that recovers => no event", () => {
    expect(masterKeyEvents(waiting("WaitingForNodes"), ready)).toEqual([]);
  });
});

describe("keyAliasEvents", () => {
  test("the first target => Pointing", () => {
    expect(keyAliasEvents(undefined, { masterKey: "secrets" })).toEqual([
      { type: "Normal", reason: "Pointing", message: "the alias is served as MasterKey secrets" },
    ]);
  });
  test("the same target => no event", () => {
    expect(keyAliasEvents({ masterKey: "secrets" }, { masterKey: "secrets" })).toEqual([]);
  });
  test("another target => Pointing", () => {
    expect(keyAliasEvents({ masterKey: "a" }, { masterKey: "b" }).map(({ reason }) => reason)).toEqual([
      "Pointing",
    ]);
  });
  test("it cannot move => a warning", () => {
    const after = {
      masterKey: "a",
      conditions: [condition("Ready", { status: "False", reason: "KeySpecDiffers" })],
    };
    expect(keyAliasEvents({ masterKey: "a" }, after)).toEqual([
      { type: "Warning", reason: "KeySpecDiffers", message: "it is so" },
    ]);
  });
});

describe("an Event's note", () => {
  test("of a short message => all of it", () => {
    expect(noteOf("it waits")).toBe("it waits");
  });
  test("of one whose characters take more bytes than the API server takes => whole characters of it", () => {
    const note = noteOf(`x${"…".repeat(1000)}`);
    expect(note).toBe(`x${"…".repeat(341)}`);
    expect(Buffer.byteLength(note)).toBe(1024);
  });
});

describe("a KeyGrant", () => {
  const ready = (changes: object) => ({ conditions: [condition("Ready", changes)] });
  const granted = {
    phase: "Active" as const,
    ...ready({ reason: "Granted", message: "it lets app use it" }),
  };
  const denied = ready({ status: "False", reason: "GrantDenied", message: "RBAC does not allow it" });
  const revoked = {
    phase: "Revoked" as const,
    ...ready({ status: "False", reason: "Revoked", message: "ended" }),
  };

  test("is accepted, refused or has ended => one event each, and none for a status that says the same", () => {
    const events = [
      keyGrantEvents(undefined, denied),
      keyGrantEvents(denied, denied),
      keyGrantEvents(denied, granted),
      keyGrantEvents(granted, granted),
      keyGrantEvents(granted, revoked),
      keyGrantEvents(revoked, revoked),
    ];
    expect(events.map((some) => some.map(({ type, reason }) => `${type} ${reason}`))).toEqual([
      ["Warning GrantDenied"],
      [],
      ["Normal Granted"],
      [],
      ["Normal Revoked"],
      [],
    ]);
  });

  test("of which the spec was altered => a warning, although it is active", () => {
    const altered = {
      ...granted,
      ...ready({ status: "False", reason: "SpecAltered", message: "it differs" }),
    };
    expect(keyGrantEvents(granted, altered)).toMatchObject([{ type: "Warning", reason: "SpecAltered" }]);
  });
});
