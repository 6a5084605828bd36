import { describe, expect, test } from "vitest";
import { keyId, keyVersion, masterKey, statusWith, versionId } from "../testing/objects.ts";
import { promotionCandidate, versionsOf } from "./versions.ts";

const v1 = keyVersion(1);
const v2 = keyVersion(2);
const v3 = keyVersion(3);
const twin2 = keyVersion(2, { spec: { versionId: versionId(99) } });
const foreign = keyVersion(9, { spec: { keyId: keyId(2) } });

describe("versionsOf", () => {
  test("versions in any order => lowest number first", () => {
    expect(versionsOf(keyId(1), [v3, v1, v2])).toEqual([v1, v2, v3]);
  });
  test("equal numbers => by versionId, from either order", () => {
    expect(versionsOf(keyId(1), [twin2, v2])).toEqual([v2, twin2]);
    expect(versionsOf(keyId(1), [v2, twin2])).toEqual([v2, twin2]);
  });
  test("numbers are compared as numbers => 10 comes after 9", () => {
    expect(versionsOf(keyId(1), [keyVersion(10), keyVersion(9)]).map(({ spec }) => spec.number)).toEqual([
      9, 10,
    ]);
  });
  test("versions of other keys => are left out", () => {
    expect(versionsOf(keyId(1), [foreign, v1])).toEqual([v1]);
  });
  test("a younger KeyVersion with the versionId of another, under a later number => is none", () => {
    const forged = keyVersion(7, {
      spec: { versionId: versionId(1) },
      metadata: { creationTimestamp: "2026-01-01T00:00:01Z" },
    });
    expect(versionsOf(keyId(1), [forged, v1, v2])).toEqual([v1, v2]);
  });
  test("no keyId => no versions", () => {
    expect(versionsOf(undefined, [v1])).toEqual([]);
  });
});

describe("promotionCandidate", () => {
  const rows = [
    ["nothing current, one version => that one", { keyId: keyId(1) }, [v1], v1],
    ["a newer one than the current => the newer one", statusWith(v1), [v1, v2], v2],
    ["two newer ones => the newest, straight away", statusWith(v1), [v3, v1, v2], v3],
    ["the current is the newest => none", statusWith(v2), [v1, v2], undefined],
    ["only lower numbers => none", statusWith(v3), [v1, v2], undefined],
    ["the current number under a later id, from a restore => that one", statusWith(v2), [v2, twin2], twin2],
    ["the current number under an earlier id => none", statusWith(twin2), [v2, twin2], undefined],
    ["two newer ones of one number => the higher id", statusWith(v1), [twin2, v2, v1], twin2],
    ["a newer version of another key => none", statusWith(v1), [v1, foreign], undefined],
    ["no versions => none", statusWith(v1), [], undefined],
    ["no keyId yet => none", undefined, [v1], undefined],
  ] as const;
  test.each(rows)("%s", (_, status, versions, expected) => {
    expect(promotionCandidate(masterKey(status && { status }), versions)).toBe(expected);
  });
});
