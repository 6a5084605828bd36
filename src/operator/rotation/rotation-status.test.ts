import { describe, expect, test } from "vitest";
import type { MasterKeyStatus } from "../../resources/schemas/master-key.ts";
import type { RotationStatus } from "../../resources/schemas/rotation-status.ts";
import { EARLIER, keyVersion, masterKey, NOW, NOW_TEXT, statusWith } from "../../testing/objects.ts";
import { decideRotation } from "./decide-rotation.ts";
import { type RotationProgress, rotationStatusAfter } from "./rotation-status.ts";

const KEY_ID = statusWith(keyVersion(2)).currentVersion?.kmsKeyId ?? "";
const last = { trigger: "Automatic", number: 2, startedAt: EARLIER, completedAt: EARLIER } as const;
const key = (verified: boolean, version = 2) => {
  const status: MasterKeyStatus = {
    ...statusWith(keyVersion(version)),
    rotation: { last: { ...last, verified } },
  };
  return masterKey({ status });
};
const quiet = (outcome: RotationProgress["outcome"]): RotationProgress => ({
  plan: undefined,
  event: { kind: "nothing" },
  phase: "Complete",
  outcome,
});

test("rotation by itself was turned off, or its window cannot be read => no time of the next one is left", () => {
  const before = masterKey({
    spec: { rotation: { enabled: false, onDemandLimit: 25 } },
    status: {
      ...statusWith(keyVersion(1)),
      rotation: { clockStartedAt: EARLIER, nextRotationTime: EARLIER },
    },
  });
  const plan = decideRotation(before, NOW);
  expect(rotationStatusAfter(before, { ...quiet(undefined), plan }, NOW)).toEqual({
    clockStartedAt: EARLIER,
  });
  const window = { schedule: "61 2 * * 6", timeZone: "UTC", durationMinutes: 60 };
  const invalid = {
    ...before,
    spec: { ...before.spec, rotation: { enabled: true, onDemandLimit: 25, window } },
  };
  const late = decideRotation(invalid, NOW);
  expect(late.finding.reason).toBe("WindowInvalid");
  expect(rotationStatusAfter(invalid, { ...quiet(undefined), plan: late }, NOW)).toEqual({
    clockStartedAt: EARLIER,
  });
});

test.each([
  [
    "was proven by a census that came later => says so, with its own dates",
    key(false),
    { verified: true },
    true,
  ],
  ["is not proven => says so", key(false), { verified: false }, false],
  ["is complete again, without a census => not proven any more", key(true), { verified: false }, false],
  ["is not complete any more, as what proved it is gone => not proven", key(true), undefined, false],
  [
    "was of another version than what is proven now => stays unproven",
    key(false, 3),
    { verified: true },
    false,
  ],
])("the last rotation %s", (_, masterKey_, outcome, verified) => {
  expect(rotationStatusAfter(masterKey_, quiet(outcome), NOW)?.last).toEqual({ ...last, verified });
});

test("a rotation begins while two others have not finished => it says so, to its end", () => {
  const running = { trigger: "OnDemand", number: 3, startedAt: EARLIER, phase: "Reencrypting" } as const;
  const before = masterKey({
    status: { ...statusWith(keyVersion(3)), rotation: { running: { ...running, supersedes: [2] } } },
  });
  const event = { kind: "begun", trigger: "OnDemand", token: "t", number: 4 } as const;
  const begun = rotationStatusAfter(before, { ...quiet(undefined), event }, NOW);
  expect(begun?.running).toMatchObject({ number: 4, phase: "Distributing", supersedes: [3, 2] });
  const later = masterKey({
    status: { ...statusWith(keyVersion(4)), ...(begun && { rotation: begun }) },
  });
  const plan = decideRotation(
    { ...later, spec: { ...later.spec, rotation: { enabled: true, onDemandLimit: 25 } } },
    NOW,
  );
  expect(plan.finding.message).toMatch(
    /^the rotation to version 4, in place of that to version 3, 2, is Dist/,
  );
  const ended = rotationStatusAfter(later, quiet({ verified: true }), NOW);
  expect(ended?.running).toBeUndefined();
  expect(ended?.last).toMatchObject({ number: 4, verified: true, supersedes: [3, 2] });
});

test("new material is imported while a rotation has not finished => it says so", () => {
  const running = { trigger: "Imported", number: 2, startedAt: EARLIER, phase: "Switching" } as const;
  const before = masterKey({ status: { ...statusWith(keyVersion(2)), rotation: { running } } });
  const event = { kind: "promoted", version: keyVersion(3) } as const;
  const after = rotationStatusAfter(before, { ...quiet(undefined), event }, NOW);
  expect(after?.running).toMatchObject({ number: 3, supersedes: [2] });
});

describe("the history", () => {
  const running = { trigger: "OnDemand", number: 2, startedAt: EARLIER, phase: "Verifying" } as const;
  const reencryption = {
    kmsKeyId: KEY_ID,
    phase: "Verifying",
    verified: false,
    resources: ["secrets"],
    startedAt: EARLIER,
    round: 2,
    failed: 1,
  } as const;
  const proof = { rounds: 2, objects: 9, censusTime: NOW_TEXT, censusRevision: 77 };
  const record = (number: number) => ({ ...last, number, kmsKeyId: KEY_ID, verified: true });
  const rotating = (history: RotationStatus["history"]) =>
    masterKey({
      status: {
        ...statusWith(keyVersion(2)),
        rotation: { running, ...(history && { history }) },
        reencryption,
      },
    });

  test("has a rotation that ended, with what was written and what proves it", () => {
    const status = rotationStatusAfter(rotating(undefined), quiet({ verified: true, ...proof }), NOW);
    expect(status?.history).toEqual([
      {
        trigger: "OnDemand",
        number: 2,
        kmsKeyId: KEY_ID,
        startedAt: EARLIER,
        completedAt: NOW_TEXT,
        verified: true,
        failed: 1,
        ...proof,
      },
    ]);
    expect(status?.running).toBeUndefined();
  });

  test("remembers the last twenty, the latest first", () => {
    const many = Array.from({ length: 20 }, (_, index) => record(30 - index));
    const { history = [] } = rotationStatusAfter(rotating(many), quiet({ verified: false }), NOW) ?? {};
    expect(history.map(({ number }) => number)).toEqual([
      2,
      ...many.slice(0, 19).map(({ number }) => number),
    ]);
  });

  const finished = (verified: boolean) =>
    masterKey({
      status: {
        ...statusWith(keyVersion(2)),
        rotation: { last: { ...last, verified }, history: [{ ...record(2), verified }, record(1)] },
      },
    });

  test("a census that comes later proves the latest one", () => {
    const { history } = rotationStatusAfter(finished(false), quiet({ verified: true, ...proof }), NOW) ?? {};
    expect(history).toEqual([{ ...record(2), ...proof }, record(1)]);
  });

  test("what proved it is gone => the record says what was proven then", () => {
    const status = rotationStatusAfter(finished(true), quiet(undefined), NOW);
    expect(status?.last?.verified).toBe(false);
    expect(status?.history).toEqual([record(2), record(1)]);
  });
});
