import { describe, expect, test } from "vitest";
import { KubeError } from "../../kube/kube-error.ts";
import { FINALIZER } from "../../resources/finalizer.ts";
import { EARLIER, masterKey } from "../../testing/objects.ts";
import { heldByNobody, isLeaseRefused, leaseFault } from "./home-namespace.ts";

describe("MasterKeys that keep the namespace of the Leases from ending", () => {
  const leaving = { namespace: "claviger-system", finalizers: [FINALIZER], deletionTimestamp: EARLIER };
  test.each([
    ["on its way out and held by our finalizer => let go", leaving, 1],
    ["not on its way out => kept", { ...leaving, deletionTimestamp: undefined }, 0],
    [
      "held by another finalizer only => not ours to let go",
      { ...leaving, finalizers: ["example.com/a"] },
      0,
    ],
    ["of another namespace => its leader decides", { ...leaving, namespace: "apps" }, 0],
  ])("%s", (_, { deletionTimestamp, ...metadata }, count) => {
    const key = masterKey({ metadata: { ...metadata, ...(deletionTimestamp && { deletionTimestamp }) } });
    expect(heldByNobody([key], "claviger-system")).toHaveLength(count);
  });
});

describe("an attempt to lead that failed", () => {
  test.each([
    [
      "forbidden, as without RoleBinding or in a namespace that is being deleted => refused",
      new KubeError(403, "no"),
      true,
    ],
    ["not found, as without namespace => refused", new KubeError(404, "no"), true],
    ["somebody was faster => not refused", new KubeError(409, "no"), false],
    ["no answer => not refused", new Error("ECONNREFUSED"), false],
  ])("%s", (_, error, refused) => {
    expect(isLeaseRefused(error)).toBe(refused);
  });
  test.each([
    ["terminating", /is being deleted: once it is gone, apply deploy\/rbac\.yaml/],
    ["gone", /does not exist: apply deploy\/rbac\.yaml/],
    ["there", /RoleBinding claviger-leases/],
    ["unknown", /apply deploy\/rbac\.yaml again/],
  ] as const)("in a namespace that is %s => what to do", (state, text) => {
    expect(leaseFault("claviger-system", state, "forbidden")).toMatch(text);
  });
});
