import { writeFileSync } from "node:fs";
import { afterEach, beforeEach, expect, test } from "vitest";
import { ClavigerError } from "../../errors.ts";
import { grantUsagePath, grantUsageText } from "../../keyring/usage/grant-usage.ts";
import { KeyringWriter } from "../../keyring/writer.ts";
import { KubeError } from "../../kube/kube-error.ts";
import type { KeyGrant } from "../../resources/resources.ts";
import type { KeyGrantStatus } from "../../resources/schemas/key-grant.ts";
import type { StatusWrites } from "../../store/roles.ts";
import { ACCOUNT, keyGrant } from "../../testing/grants.ts";
import { temporaryFolder } from "../../testing/keyring.ts";
import { keyId, NOW } from "../../testing/objects.ts";
import { grantIdOf, grantRowOf } from "./grant-record.ts";
import { GrantUsageReporter } from "./grant-usage-reporter.ts";

let folder: ReturnType<typeof temporaryFolder>;
let keyring: KeyringWriter;
let grants: Map<string, KeyGrant>;
let conflicts: number;
/** The errors with which the API server refuses the status of KeyGrants, by name. */
let refused: Map<string, Error>;
let written: string[];
beforeEach(() => {
  folder = temporaryFolder();
  keyring = KeyringWriter.open(folder.path);
  grants = new Map();
  conflicts = 0;
  refused = new Map();
  written = [];
});
afterEach(() => {
  keyring.close();
  folder.remove();
});

/** A KeyGrant that was accepted, and is in this node's keyring. */
function accept(name: string): string {
  const grant = keyGrant({ metadata: { name }, status: { phase: "Active", keyId: keyId(1) } });
  grants.set(name, grant);
  keyring.transaction(() => keyring.grants.put(grantRowOf(grant, keyId(1), ACCOUNT)));
  return grantIdOf(grant);
}
const used = (uses: Readonly<Record<string, number>>, slot = 0) =>
  writeFileSync(
    grantUsagePath(folder.path, slot),
    grantUsageText(
      new Map(Object.entries(uses).map(([id, count]) => [id, { uses: count, lastAt: NOW.getTime() }])),
    ),
  );
const applyStatus = async (object: KeyGrant, status: KeyGrantStatus | undefined) => {
  const refusal = refused.get(object.metadata.name);
  if (refusal !== undefined) throw refusal;
  conflicts -= 1;
  if (conflicts >= 0) throw new ClavigerError("Conflict", "another operator wrote");
  written.push(object.metadata.name);
  grants.set(object.metadata.name, { ...object, ...(status && { status }) });
};
function makeReporter(): GrantUsageReporter {
  const store = {
    keyGrants: () => [...grants.values()],
    keyGrant: ({ name }: { readonly name: string }) => grants.get(name),
    // Only KeyGrants are written.
    applyStatus: applyStatus as unknown as StatusWrites["applyStatus"],
  };
  const config = { nodeName: "node-1", stateDir: folder.path };
  return new GrantUsageReporter({ config, store, keyring, clock: { now: () => NOW } });
}
const pass = (reporter = makeReporter()) => reporter.pass(new AbortController().signal);

test("the counts of all processes of a node are written into the KeyGrant, once; a restart writes nothing", async () => {
  const [id, idle] = [accept("used"), accept("idle")];
  used({ [id]: 3 });
  used({ [id]: 4 }, 1);
  const reporter = makeReporter();
  await pass(reporter);
  await pass(reporter);
  await pass();
  expect(written).toEqual(["used"]);
  expect(grants.get("used")?.status).toMatchObject({ phase: "Active", uses: 7 });
  used({ [id]: 5, [idle]: 1 });
  await pass(reporter);
  expect(written).toEqual(["used", "idle", "used"]);
  expect(grants.get("used")?.status).toMatchObject({ uses: 9, usage: [{ node: "node-1", uses: 9 }] });
});

test("a KeyGrant that somebody else writes at the same time has its turn again, and a grant without an object holds up no other", async () => {
  const id = accept("used");
  used({ [id]: 3, ["0".repeat(64)]: 9 });
  conflicts = 1;
  const reporter = makeReporter();
  await pass(reporter);
  expect(written).toEqual([]);
  await pass(reporter);
  expect(written).toEqual(["used"]);
});

test("thousands of grants that are used all the time => a node writes 60 KeyGrants in a pass", async () => {
  const ids = Array.from({ length: 100 }, (_, n) => accept(`g${n}`));
  used(Object.fromEntries(ids.map((id) => [id, 1])));
  const reporter = makeReporter();
  await pass(reporter);
  expect(written).toHaveLength(60);
  await pass(reporter);
  expect(new Set(written).size).toBe(100);
});

test("a KeyGrant refuses its status => the others are written all the same, and that failure is told", async () => {
  const ids = ["first", "bad", "last"].map(accept);
  used(Object.fromEntries(ids.map((id) => [id, 1])));
  refused.set("bad", new KubeError(422, "the status of bad is invalid"));
  const reporter = makeReporter();
  await expect(pass(reporter)).rejects.toThrow("the status of bad is invalid");
  expect(written).toEqual(["first", "last"]);
  refused.clear();
  await pass(reporter);
  expect(written).toEqual(["first", "last", "bad"]);
});

test("a hundred KeyGrants refuse their status, more than a node writes in a pass => the others are written soon", async () => {
  const ids = [...Array.from({ length: 100 }, (_, n) => `bad${n}`), "good"].map(accept);
  used(Object.fromEntries(ids.map((id) => [id, 1])));
  for (const name of grants.keys())
    if (name !== "good") refused.set(name, new KubeError(422, "the status is invalid"));
  const reporter = makeReporter();
  for (const _ of [1, 2]) await expect(pass(reporter)).rejects.toThrow("the status is invalid");
  expect(written).toEqual(["good"]);
});

test("a KeyGrant is deleted while its report is written => that is no failure", async () => {
  used({ [accept("gone")]: 1 });
  refused.set("gone", new KubeError(404, "not found"));
  await pass();
});

test.each([
  ["nobody answers", new ClavigerError("ApiServer", "connect ECONNREFUSED")],
  ["it is overloaded", new KubeError(429, "too many requests")],
])(
  "the API server takes no writes, because %s => one write is tried in a pass, not all",
  async (_, error) => {
    const ids = ["one", "two", "three"].map(accept);
    used(Object.fromEntries(ids.map((id) => [id, 1])));
    refused.set("one", error);
    await expect(pass()).rejects.toThrow(error);
    expect(written).toEqual([]);
  },
);

test("thousands of grants were used and are gone => the others' reports do not wait for them", async () => {
  const gone = Array.from({ length: 6_000 }, (_, n) => String(n).padStart(64, "0"));
  const id = accept("used");
  used(Object.fromEntries([...gone, id].map((one) => [one, 1])));
  await pass();
  expect(written).toEqual(["used"]);
});
