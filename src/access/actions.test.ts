import { readFileSync } from "node:fs";
import { join } from "node:path";
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

test("the table of verbs in docs/operations/grants.md has each action with its verb, and nothing else", () => {
  const page = readFileSync(join(import.meta.dirname, "..", "..", "docs", "operations", "grants.md"), "utf8");
  const rows = [...page.matchAll(/^\| `kms:(\w+)` \| `([a-z-]+)` \| `(masterkeys(?:\/NAME)?)` \|$/gm)];
  const expected = Object.entries(actions).map(([action, { verb, on }]) => [
    ...[action, verb, on === "key" ? "masterkeys/NAME" : "masterkeys"],
  ]);
  expect(rows.map(([, ...row]) => row)).toEqual(expected);
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
