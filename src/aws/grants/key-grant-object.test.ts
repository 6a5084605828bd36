import { beforeEach, describe, expect, test } from "vitest";
import type { ObjectName } from "../../names.ts";
import type { KeyGrant } from "../../resources/resources.ts";
import { ALICE } from "../../testing/aws-keyring.ts";
import { keyGrant } from "../../testing/grants.ts";
import { EARLIER } from "../../testing/objects.ts";
import { AwsError } from "../aws-error.ts";
import type { ManagedObjects } from "../management/managed-objects.ts";
import { createOrFind } from "./key-grant-object.ts";

/** The KeyGrants of an API server, by name. */
let stored: Map<string, KeyGrant>;
beforeEach(() => {
  stored = new Map();
});
const objects = {
  create: async (_caller: unknown, _kind: string, { name }: ObjectName, spec: KeyGrant["spec"]) => {
    if (stored.has(name)) throw new AwsError("AlreadyExistsException", name);
    stored.set(name, keyGrant({ metadata: { name }, spec }));
  },
  read: async (_kind: string, { name }: ObjectName) => stored.get(name),
} as unknown as ManagedObjects;

const { spec } = keyGrant();
const condition = { type: "Ready", status: "False", reason: "GrantDenied", message: "no" } as const;
const REFUSED = { conditions: [{ ...condition, lastTransitionTime: EARLIER }] };
const NAME = "grant-by-terms";
const create = (name: string | undefined = NAME) =>
  createOrFind(objects, ALICE, { namespace: "apps", name }, spec);
const store = (changes: Parameters<typeof keyGrant>[0]) =>
  stored.set(NAME, keyGrant({ ...changes, metadata: { name: NAME, ...changes?.metadata } }));

describe("a KeyGrant for a request with a Name", () => {
  test("is created once, and found by the request's repetition, which does not own it", async () => {
    const first = await create();
    expect(first).toMatchObject({ isOwn: true, object: { metadata: { name: NAME } } });
    expect(await create()).toEqual({ object: first.object, isOwn: false });
    expect(stored.size).toBe(1);
  });

  test("that is refused at once is the request's own: the caller is told why, and nothing else is created", async () => {
    const refusing = {
      ...objects,
      read: async () => keyGrant({ metadata: { name: NAME }, status: REFUSED }),
    } as unknown as ManagedObjects;
    const name = { namespace: "apps", name: NAME };
    expect(await createOrFind(refusing, ALICE, name, spec)).toMatchObject({ isOwn: true });
    expect(stored.size).toBe(1);
  });

  test.each([
    ["grants something else", { spec: { operations: ["DescribeKey"] } }],
    ["grants it to somebody else", { spec: { granteePrincipal: "arn:aws:iam::000000000000:user/mallory" } }],
    ["is somebody else's", { spec: { grantedBy: { user: "mallory", groups: [] } } }],
    ["depends on another grant", { spec: { parent: "grant-of-mallory" } }],
    ["has ended", { spec: { ended: "Revoked" } }],
    ["is being deleted", { metadata: { deletionTimestamp: EARLIER } }],
    ["was refused", { status: REFUSED }],
  ] as const)(
    "whose name has an object that %s => is another object of a random name",
    async (_, changes) => {
      store(changes as Parameters<typeof keyGrant>[0]);
      const { object, isOwn } = await create();
      expect(isOwn).toBe(true);
      expect(object.metadata.name).toMatch(/^grant-[0-9a-f]{32}$/);
      expect(object.spec).toEqual(spec);
      expect(stored.size).toBe(2);
    },
  );
});

test("two requests without a Name => two KeyGrants", async () => {
  const [one, two] = [
    await createOrFind(objects, ALICE, { namespace: "apps", name: undefined }, spec),
    await createOrFind(objects, ALICE, { namespace: "apps", name: undefined }, spec),
  ];
  expect(one.object.metadata.name).not.toBe(two.object.metadata.name);
  expect([one.isOwn, two.isOwn]).toEqual([true, true]);
});
