import { describe, expect, test } from "vitest";
import { ACCOUNT, keyGrant } from "../../testing/grants.ts";
import { keyId } from "../../testing/objects.ts";
import { grantRowOf } from "./grant-record.ts";
import { needsProof, planGrant } from "./plan-grant.ts";

const AT = { account: ACCOUNT, now: 5 };
const proof = { provider: "file", rootKeyId: "root-1", sealed: "cHJvb2Y=" };
const grant = keyGrant({ status: { phase: "Active", keyId: keyId(1), proof } });
const row = grantRowOf(grant, keyId(1), ACCOUNT);
const revoked = { ended: { phase: "Revoked", at: 5 } } as const;

describe("a node records a grant", () => {
  test("whose proof fits, for the key that the proof names", () => {
    expect(needsProof(grant, [], ACCOUNT)).toEqual(row);
    expect(planGrant(grant, [], true, AT)).toEqual([row]);
  });
  test("never without one, whatever phase its status claims", () => {
    expect(planGrant(grant, [], false, AT)).toEqual([]);
    expect(
      needsProof(keyGrant({ status: { phase: "Active", keyId: keyId(1) } }), [], ACCOUNT),
    ).toBeUndefined();
    expect(needsProof(keyGrant({ status: { phase: "Active", proof } }), [], ACCOUNT)).toBeUndefined();
  });
  test("once: an accepted grant stays, though its status is emptied", () => {
    expect(needsProof(grant, [row], ACCOUNT)).toBeUndefined();
    expect(planGrant(keyGrant(), [row], false, AT)).toEqual([]);
  });
});

describe("a node ends a grant", () => {
  test.each([
    ["that is revoked", keyGrant({ spec: { ended: "Revoked" } }), "Revoked"],
    ["that is retired", keyGrant({ spec: { ended: "Retired" } }), "Retired"],
    [
      "whose object is being deleted",
      keyGrant({ metadata: { deletionTimestamp: "2026-01-01T00:00:00Z" } }),
      "Revoked",
    ],
    ["whose object is gone", undefined, "Revoked"],
  ] as const)("%s", (_, object, phase) => {
    expect(planGrant(object, [row], false, AT)).toEqual([{ ...row, ended: { phase, at: 5 } }]);
  });
  test("whose name another object has now, which gets a record of its own", () => {
    const other = keyGrant({ metadata: { uid: "another" }, status: grant.status });
    const [ended, added] = planGrant(other, [row], true, AT);
    expect(ended).toEqual({ ...row, ...revoked });
    expect(added).toEqual(grantRowOf(other, keyId(1), ACCOUNT));
  });
  test("that was ended before it was accepted, so that no token of it is believed", () => {
    const [ended] = planGrant(keyGrant({ spec: { ended: "Revoked" } }), [], false, AT);
    expect(ended).toMatchObject({ grantId: row.grantId, ...revoked });
    expect(ended?.keyId).toBe("00000000-0000-0000-0000-000000000000");
  });
  test("that was never accepted, and is too old for a token => is not recorded", () => {
    const created = Date.parse(grant.metadata.creationTimestamp ?? "");
    const ended = keyGrant({ spec: { ended: "Retired", parent: "any" } });
    const plan = (now: number, object = ended) => planGrant(object, [], false, { ...AT, now });
    expect(plan(created + 3_599_000)).toHaveLength(1);
    expect(plan(created + 3_600_000)).toEqual([]);
    const was = keyGrant({ spec: { ended: "Retired" }, status: grant.status });
    expect(plan(created + 3_600_000, was)).toHaveLength(1);
  });
  test("for ever: nothing brings it back", () => {
    expect(planGrant(grant, [{ ...row, ...revoked }], true, AT)).toEqual([]);
    expect(planGrant(undefined, [{ ...row, ...revoked }], true, AT)).toEqual([]);
  });
});
