import { expect, test } from "vitest";
import { GRANT_OPERATIONS } from "../keyring/grant-row.ts";
import { actions, isGrantable } from "./actions.ts";

test("every grant operation is an action, and no other action can be granted", () => {
  const names = Object.keys(actions) as (keyof typeof actions)[];
  expect(names.filter(isGrantable).sort()).toEqual([...GRANT_OPERATIONS].sort());
});

test("each action has a verb of its own, which is its name in Kubernetes' writing but for CreateGrant", () => {
  const verbs = Object.entries(actions).map(([name, { verb }]) => ({ name, verb }));
  const written = (name: string) => name.replace(/(?<!^)([A-Z])/g, "-$1").toLowerCase();
  expect(verbs.filter(({ name, verb }) => verb !== written(name))).toEqual([
    { name: "CreateGrant", verb: "grant" },
  ]);
  expect(new Set(verbs.map(({ verb }) => verb)).size).toBe(verbs.length);
});

test("no verb is one that Kubernetes gives a meaning to", () => {
  const own = [
    "get",
    "list",
    "watch",
    "create",
    "update",
    "patch",
    "delete",
    "deletecollection",
    "impersonate",
  ];
  const verbs = new Set<string>(Object.values(actions).map(({ verb }) => verb));
  expect(own.filter((verb) => verbs.has(verb))).toEqual([]);
});
