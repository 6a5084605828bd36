import { expect, test } from "vitest";
import { ClavigerError } from "../errors.ts";
import { retryConflicts } from "./retry-conflicts.ts";

/** Returns an attempt that fails with these errors, one after another, and then ends. */
function failing(...errors: readonly Error[]) {
  let attempts = 0;
  const attempt = async () => {
    const error = errors[attempts];
    attempts += 1;
    if (error !== undefined) throw error;
    return attempts;
  };
  return { attempt, attempts: () => attempts };
}
const conflict = new ClavigerError("Conflict", "changed");

test("somebody else has written => it is attempted again", async () => {
  expect(await retryConflicts(failing(conflict, conflict).attempt)).toBe(3);
});

test("somebody writes each time => the last Conflict", async () => {
  const { attempt, attempts } = failing(conflict, conflict, conflict);
  await expect(retryConflicts(attempt, 2)).rejects.toBe(conflict);
  expect(attempts()).toBe(2);
});

test("any other error is thrown at once", async () => {
  const other = new ClavigerError("ApiServer", "away");
  const { attempt, attempts } = failing(other);
  await expect(retryConflicts(attempt)).rejects.toBe(other);
  expect(attempts()).toBe(1);
});
