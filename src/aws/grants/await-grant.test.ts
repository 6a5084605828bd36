import { describe, expect, test } from "vitest";
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
    ["MasterKeyNotReady", undefined],
  ])("%s => is %s", (reason, type) => {
    expect(refusalOf(said(reason))?.type).toBe(type);
  });
  test("after it was accepted is not refused, and one of which nothing is said is not either", () => {
    expect(refusalOf(said("KeyReplaced", "Active"))).toBeUndefined();
    expect(refusalOf(keyGrant())).toBeUndefined();
  });
});

test("a refused grant is removed as the caller, and the caller is told why", async () => {
  const keyring = new AwsKeyring();
  try {
    const removed: string[] = [];
    const object = said("GrantDenied");
    const objects = {
      read: async () => object,
      remove: async (caller: { readonly arn: string }) => void removed.push(caller.arn),
    } as unknown as ManagedObjects;
    const name = { namespace: "apps", name: "grant" };
    await expect(
      awaitGrant(keyring.grants, objects, ALICE, { name, grantId: "ab".repeat(32) }),
    ).rejects.toEqual(
      expect.objectContaining({
        type: "AccessDeniedException",
        message: expect.stringMatching(/because of it/),
      }),
    );
    expect(removed).toEqual([ALICE.arn]);
  } finally {
    keyring.close();
  }
});
