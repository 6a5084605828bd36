import { expect, test } from "vitest";
import { keyId, versionId } from "../../testing/keyring.ts";
import { formatFormerTargets, leftAt, mergeFormerTargets, parseFormerTargets } from "./former-targets.ts";

const at = (key: number, number: number, id = number) => ({
  keyId: keyId(key),
  number,
  versionId: versionId(id),
});
const key = (n: number, number?: number, id = number) => ({
  keyId: keyId(n),
  ...(number !== undefined && { current: { number, versionId: versionId(id ?? 0) } }),
});

test.each([
  ["the key was never left => nothing", [at(2, 5)], key(1, 1), undefined],
  ["nothing was ever left => nothing", undefined, key(1, 1), undefined],
  ["the key is where it was left => that", [at(1, 2)], key(1, 2), at(1, 2)],
  ["the key is behind where it was left => that", [at(1, 2)], key(1, 1), at(1, 2)],
  ["the key has a later version => nothing", [at(1, 2)], key(1, 3), undefined],
  ["the same number under a later id => nothing", [at(1, 2)], key(1, 2, 99), undefined],
  ["the key has no current version => that", [at(1, 2)], key(1), at(1, 2)],
] as const)("leftAt: %s", (_, former, target, expected) => {
  expect(leftAt(former, target)).toEqual(expected);
});

test("merged => each key once, at its latest version, in whichever list that is", () => {
  expect(mergeFormerTargets([at(1, 3), at(2, 1)], [at(1, 2), at(2, 4), at(3, 1)])).toEqual([
    at(1, 3),
    at(2, 4),
    at(3, 1),
  ]);
});

test("as text and back => the same", () => {
  const targets = [at(1, 3), at(2, 12)];
  expect(parseFormerTargets(formatFormerTargets(targets))).toEqual(targets);
  expect(parseFormerTargets(formatFormerTargets([]))).toEqual([]);
});
