import { expect, test } from "vitest";
import type { KeyAlias } from "../../resources/resources.ts";
import { keyAlias, keyId, keyVersion, masterKey, NOW, statusWith, versionId } from "../../testing/objects.ts";
import { decideKeyAlias } from "./decide-key-alias.ts";
import { type HeldAlias, rememberAlias } from "./remembered-alias.ts";

const key = (name: string, id: number, number: number) =>
  masterKey({
    metadata: { name },
    status: statusWith(keyVersion(number, { spec: { keyId: keyId(id) } })),
  });
const left = (id: number, number: number) => ({ keyId: keyId(id), number, versionId: versionId(number) });
const wants = (name: string, status?: KeyAlias["status"]) =>
  keyAlias({ spec: { masterKey: name }, ...(status && { status }) });
/** This node serves b, and left a at version 1. */
const held: HeldAlias = { masterKey: "b", keyId: keyId(2), formerTargets: [left(1, 1)] };
const a = { keyId: keyId(1), masterKey: "a" };
const b = { keyId: keyId(2), masterKey: "b" };
const leftA = { formerTargets: [{ keyId: keyId(1), number: 1 }] };

const rows = [
  ["this node never served it => as it is", wants("a"), undefined, undefined],
  [
    "its status is lost => where it points on this node, and what it left",
    wants("a"),
    held,
    { ...b, ...leftA },
  ],
  [
    "its status is lost and it never moved => where it points",
    wants("b"),
    { masterKey: "b", keyId: keyId(2) },
    b,
  ],
  ["its status is of before it moved => where it points now", wants("a", a), held, { ...b, ...leftA }],
  ["its status says the same => the same", wants("b", { ...b, ...leftA }), held, { ...b, ...leftA }],
  [
    "its status has moved on and this node has not => the status counts",
    wants("c", { keyId: keyId(3), masterKey: "c" }),
    held,
    { keyId: keyId(3), masterKey: "c", ...leftA },
  ],
  [
    "its status knows of more that it left => both",
    wants("b", {
      ...b,
      formerTargets: [
        { keyId: keyId(1), number: 3 },
        { keyId: keyId(4), number: 1 },
      ],
    }),
    held,
    {
      ...b,
      formerTargets: [
        { keyId: keyId(1), number: 3 },
        { keyId: keyId(4), number: 1 },
      ],
    },
  ],
] as const;
test.each(rows)("%s", (_, alias, known, expected) => {
  expect(rememberAlias(alias, known, key("a", 1, 1)).status).toEqual(expected);
});

test("it went back to a key that has a later version, and this node has not => the status counts", () => {
  expect(rememberAlias(wants("a", a), held, key("a", 1, 2)).status).toEqual({ ...a, ...leftA });
});

test("deleted and made again for the key that it left => refused, and the status is whole again", () => {
  const alias = rememberAlias(wants("a"), held, undefined);
  const observed = {
    alias,
    target: key("a", 1, 1),
    served: key("b", 2, 1),
    inService: false,
    importedAllowed: false,
    nodes: [],
    arnPrefix: "",
  };
  const plan = decideKeyAlias(observed, NOW);
  expect(plan.step).toMatchObject({ finding: { reason: "KeyIDWouldReturn" } });
  expect(plan.status).toMatchObject({ ...b, ...leftA });
});
