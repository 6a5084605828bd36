import { writeFileSync } from "node:fs";
import { afterEach, beforeEach, expect, test } from "vitest";
import { ClavigerError } from "../../errors.ts";
import { grantUsagePath, grantUsageText } from "../../keyring/usage/grant-usage.ts";
import { KeyringWriter } from "../../keyring/writer.ts";
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
let written: string[];
beforeEach(() => {
  folder = temporaryFolder();
  keyring = KeyringWriter.open(folder.path);
  grants = new Map();
  conflicts = 0;
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
