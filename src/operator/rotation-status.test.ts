import { expect, test } from "vitest";
import type { MasterKeyStatus } from "../kube/resources.ts";
import { decideRotation } from "./decide-rotation.ts";
import { type RotationProgress, rotationStatusAfter } from "./rotation-status.ts";
import { EARLIER, keyVersion, masterKey, NOW, statusWith } from "./testing.ts";

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
  ["was proven once, by an operator with etcd => stays proven", key(true), { verified: false }, true],
  [
    "was of another version than what is proven now => stays unproven",
    key(false, 3),
    { verified: true },
    false,
  ],
])("the last rotation %s", (_, masterKey_, outcome, verified) => {
  expect(rotationStatusAfter(masterKey_, quiet(outcome), NOW)?.last).toEqual({ ...last, verified });
});
