import { expect, test } from "vitest";
import { migrationName, migrationState } from "./migration-state.ts";

const condition = (type: string, message = "", status = "True") => ({
  type,
  status,
  reason: `${type}Reason`,
  message,
});
const running = (more = "") => condition("Running", `The migration is running${more}`);

test.each([
  ["nothing was said => it waits", undefined, { phase: "Waiting" }],
  ["it was not taken up => it waits", [condition("Running", "", "False")], { phase: "Waiting" }],
  ["it runs", [running()], { phase: "Running" }],
  [
    "it runs and says how far",
    [running(", 3/10 objects not yet migrated; transient error: x")],
    { phase: "Running", left: 3, total: 10 },
  ],
  [
    "it is done",
    [running(", 10 objects verified migrated"), condition("Succeeded", "Migration completed")],
    { phase: "Succeeded", left: 0, total: 10 },
  ],
  ["it is done, without a figure", [running(), condition("Succeeded")], { phase: "Succeeded" }],
  [
    "it failed",
    [running(", 3/10 objects not yet migrated"), condition("Failed", "refused")],
    { phase: "Failed", reason: "FailedReason", message: "refused", left: 3, total: 10 },
  ],
] as const)("%s", (_, conditions, expected) => {
  expect(migrationState({ status: conditions === undefined ? {} : { conditions } })).toEqual(expected);
});

test("a key_id and a resource => one name, never too long", () => {
  const keyId = "0".repeat(32);
  expect(migrationName(keyId, { group: "apps", resource: "deployments" })).toBe(
    `claviger-${keyId}-deployments.apps`,
  );
  const long = { group: "x".repeat(200), resource: "y".repeat(50) };
  expect(migrationName(keyId, long).length).toBeLessThanOrEqual(253);
  expect(migrationName(keyId, long)).not.toBe(migrationName(keyId, { ...long, resource: "z" }));
});
