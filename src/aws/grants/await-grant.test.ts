import { describe, expect, test, vi } from "vitest";
import { grantIdOf } from "../../access/grant-id.ts";
import type { KeyGrant } from "../../resources/resources.ts";
import { ALICE, AwsKeyring } from "../../testing/aws-keyring.ts";
import { keyGrant } from "../../testing/grants.ts";
import { EARLIER } from "../../testing/objects.ts";
import type { ManagedObjects } from "../management/managed-objects.ts";
import { awaitGrant, refusalOf } from "./await-grant.ts";

const said = (reason: string, phase?: "Active"): KeyGrant =>
  keyGrant({
    status: {
      ...(phase !== undefined && { phase }),
      conditions: [
        { type: "Ready", status: "False", reason, message: "because of it", lastTransitionTime: EARLIER },
      ],
    },
  });

describe("a KeyGrant that the operator says this of", () => {
  test.each([
    ["GrantDenied", "AccessDeniedException"],
    ["AdmissionPolicyMissing", "AccessDeniedException"],
    ["ParentDoesNotAllow", "AccessDeniedException"],
    ["OperationNotPossible", "ValidationException"],
    ["TooManyGrants", "LimitExceededException"],
    ["MasterKeyNotReady", undefined],
  ])("%s => is %s", (reason, type) => {
    expect(refusalOf(said(reason))?.type).toBe(type);
  });
  test("after it was accepted is not refused, and one of which nothing is said is not either", () => {
    expect(refusalOf(said("KeyReplaced", "Active"))).toBeUndefined();
    expect(refusalOf(keyGrant())).toBeUndefined();
  });
});

test.each([
  ["is removed as the caller if the request has created it", { isOwn: true }, 1],
  ["stays if the request has only found it", { isOwn: false }, 0],
])("a refused grant %s, and the caller is told why", async (_, { isOwn }, removals) => {
  const { removed, outcome } = await awaited(isOwn, grantIdOf("uid-of-grant"));
  expect(outcome).toMatchObject({
    ...{ type: "AccessDeniedException", message: expect.stringMatching(/because of it/) },
  });
  expect(removed).toEqual(Array(removals).fill(ALICE.arn));
});

test("a refused object that has taken the grant's name is not removed", async () => {
  vi.useFakeTimers();
  try {
    const waiting = awaited(true, grantIdOf("the-uid-of-the-grant"));
    await vi.advanceTimersByTimeAsync(20_000);
    expect(await waiting).toEqual({ removed: [], outcome: undefined });
  } finally {
    vi.useRealTimers();
  }
});

/** Awaits a grant whose name has an object that the operator has refused; returns who has removed it, and the error. */
async function awaited(isOwn: boolean, grantId: string) {
  const keyring = new AwsKeyring();
  try {
    const removed: string[] = [];
    const object = said("GrantDenied");
    const objects = {
      read: async () => object,
      remove: async (caller: { readonly arn: string }) => void removed.push(caller.arn),
    } as unknown as ManagedObjects;
    const name = { namespace: "apps", name: "grant" };
    const outcome: unknown = await awaitGrant(keyring.grants, objects, ALICE, { name, grantId, isOwn }).catch(
      (error) => error,
    );
    return { removed, outcome };
  } finally {
    keyring.close();
  }
}
