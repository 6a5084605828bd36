import { expect, test } from "vitest";
import { condition, EARLIER, masterKey } from "../../testing/objects.ts";
import { storedDataOf, unprovenKeys } from "./stored-data.ts";

const key = (name: string, status: "True" | "False" | "Unknown", reason: string) =>
  masterKey({
    metadata: { name },
    status: { conditions: [condition("Reencrypted", { status, reason, message: `${reason} on b` })] },
  });

test.each([
  ["False", "NodesDiffer", ["apps/k (NodesDiffer: NodesDiffer on b)"]],
  ["False", "ApiServerSilent", ["apps/k (ApiServerSilent: ApiServerSilent on b)"]],
  ["False", "StraysFound", ["apps/k (StraysFound: StraysFound on b)"]],
  ["False", "Switching", []],
  ["False", "Verifying", []],
  ["False", "KeyDisabled", []],
  ["True", "Verified", []],
  ["Unknown", "NotManaged", []],
] as const)("Reencrypted is %s, %s => status fails for %j", (status, reason, expected) => {
  const keys = storedDataOf([key("k", status, reason), masterKey({ metadata: { name: "new" } })]);
  expect(unprovenKeys({ kind: "seen", keys })).toEqual(expected);
  expect(keys.get("apps/k")?.reason).toBe(reason);
  expect(keys.has("apps/new")).toBe(false);
});

test("the API server does not answer => nothing is said to fail", () => {
  expect(unprovenKeys({ kind: "unknown", why: "no answer" })).toEqual([]);
});

test("the rotations that are on record are told", () => {
  const record = { number: 2, kmsKeyId: "k", trigger: "OnDemand", verified: true } as const;
  const history = [{ ...record, startedAt: EARLIER, completedAt: EARLIER }];
  const rotated = key("k", "True", "Verified");
  const status = { ...rotated.status, rotation: { history } };
  expect(storedDataOf([{ ...rotated, status }]).get("apps/k")?.history).toEqual(history);
});
