import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { key, keyId, promoted, temporaryFolder, version, versionId } from "../testing/keyring.ts";
import { planRepair } from "./repair.ts";
import { KeyringWriter } from "./writer.ts";

const NAME = { namespace: "apps", name: "secrets" };
const TENANT = { masterKey: { namespace: "tenant", name: "known" }, keyId: keyId(2) };
const foreign = version(7, { ...TENANT, versionId: versionId(70) });

let folder: ReturnType<typeof temporaryFolder>;
let keyring: KeyringWriter;
beforeEach(() => {
  folder = temporaryFolder();
  keyring = KeyringWriter.open(folder.path);
});
afterEach(() => {
  keyring.close();
  folder.remove();
});

const contents = () => ({ keys: keyring.keys(), versions: keyring.versions() });

/** Moves the name to another key, as an earlier release allowed to whoever wrote the MasterKey's status. */
function leadAstray(): void {
  keyring.apply([
    ...promoted(version(1), version(2)),
    { kind: "putVersion", version: foreign },
    { kind: "putKey", key: { ...key(), keyId: keyId(2) } },
    { kind: "setCurrent", key: NAME, version: foreign },
  ]);
}

describe("a name that was led to another MasterKey's key", () => {
  test("gets its own key back, at its latest version, and keeps the other as one that it left", () => {
    leadAstray();
    const plan = planRepair(contents(), NAME, { now: 0 });
    expect(plan).toMatchObject({ version: { number: 2 }, foreign: { number: 7 } });
    if (plan === undefined) throw new Error("nothing is planned");
    keyring.apply([plan.change]);
    expect(keyring.keys()).toEqual([
      {
        ...key(),
        keyId: keyId(1),
        formerKeyIds: [keyId(2)],
        current: { versionId: versionId(2), number: 2 },
      },
    ]);
    expect(planRepair(contents(), NAME, { now: 0 })).toBeUndefined();
  });
  test("another version is chosen, or the latest has expired => not the latest", () => {
    leadAstray();
    expect(planRepair(contents(), NAME, { number: 1, now: 0 })?.version).toMatchObject({ number: 1 });
    const third = version(3, { origin: "EXTERNAL", validTo: 5 });
    keyring.apply([{ kind: "putVersion", version: third }]);
    expect(planRepair(contents(), NAME, { now: 4 })?.version).toMatchObject({ number: 3 });
    expect(planRepair(contents(), NAME, { now: 5 })?.version).toMatchObject({ number: 2 });
  });
  test("had several keys of its own => one must be chosen, and is taken", () => {
    leadAstray();
    const third = version(1, { keyId: keyId(3), versionId: versionId(30) });
    keyring.apply([{ kind: "putVersion", version: third }]);
    expect(() => planRepair(contents(), NAME, { now: 0 })).toThrow(/choose one with --key-id/);
    expect(planRepair(contents(), NAME, { keyId: keyId(3), now: 0 })?.version).toMatchObject({
      versionId: versionId(30),
    });
    expect(() => planRepair(contents(), NAME, { keyId: keyId(9), now: 0 })).toThrow(
      /no version of key .* that belongs to/,
    );
  });
});

test("a name that has its own key => nothing to do; one that is not there => NotFound", () => {
  keyring.apply(promoted(version(1)));
  expect(planRepair(contents(), NAME, { now: 0 })).toBeUndefined();
  expect(() => planRepair(contents(), { namespace: "apps", name: "none" }, { now: 0 })).toThrow(
    /is not in this keyring/,
  );
});
