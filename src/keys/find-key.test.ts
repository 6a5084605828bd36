import { describe, expect, test } from "vitest";
import { ClavigerError } from "../errors.ts";
import type { AliasRow, KeyRow, VersionRow } from "../keyring/rows.ts";
import { nameText } from "../names.ts";
import { key, keyId, version, versionId } from "../testing/keyring.ts";
import { arnPrefix } from "./arn.ts";
import { currentVersion, findKey, type KeyTables } from "./find-key.ts";

const site = { account: "000000000000", region: "us-local-1" };
const current = (n: number) => ({ versionId: versionId(n), number: n });
const secrets: KeyRow = { ...key(), current: current(2) };
const other: KeyRow = { ...key({ name: "other", keyId: keyId(2) }) };
const main: AliasRow = { namespace: "apps", name: "main", masterKey: "secrets" };

function tables(
  keys: readonly KeyRow[] = [secrets, other],
  versions: readonly VersionRow[] = [version(1), version(2)],
): KeyTables {
  return {
    keys: new Map(keys.map((row) => [nameText(row), row])),
    aliases: new Map([[nameText(main), main]]),
    version: (id) => versions.find((row) => row.versionId === id),
    absent: (object) => new ClavigerError("NotFound", `${object} is not there`),
  };
}

const name = { key: { namespace: "apps", name: "secrets" } };

describe("a key is found by", () => {
  test.each([
    ["its name", name],
    ["an alias", { alias: { namespace: "apps", name: "main" } }],
    ["its keyId", { keyId: keyId(1) }],
    ["its ARN", { arn: arnPrefix(site, "key") + keyId(1), site }],
    ["an alias's ARN", { arn: `${arnPrefix(site, "alias")}apps/main`, site }],
  ])("%s", (_, by) => {
    expect(findKey(tables(), by)).toBe(secrets);
    expect(currentVersion(tables(), by)).toMatchObject({ key: secrets, version: { number: 2 } });
  });
});

describe("a key that is not found", () => {
  test.each([
    ["a name", { key: { namespace: "apps", name: "none" } }, "MasterKey apps/none is not there"],
    ["an alias", { alias: { namespace: "apps", name: "none" } }, "KeyAlias apps/none is not there"],
    ["a keyId", { keyId: keyId(9) }, `a MasterKey with keyId ${keyId(9)} is not there`],
    ["an ARN", { arn: arnPrefix(site, "key") + keyId(9), site }, `keyId ${keyId(9)} is not there`],
  ])("by %s => NotFound naming it", (_, by, message) => {
    expect(() => findKey(tables(), by)).toThrow(message);
  });
  test("an alias of a key that is gone => NotFound naming the key", () => {
    const by = { alias: { namespace: "apps", name: "main" } };
    expect(() => findKey(tables([other]), by)).toThrow("MasterKey apps/secrets is not there");
  });
  test("text that is no keyId => InvalidArgument", () => {
    const invalid = expect.objectContaining({ code: "InvalidArgument" });
    expect(() => findKey(tables(), { keyId: "../x" })).toThrow(invalid);
  });
  test("a name that every object has => NotFound", () => {
    const by = { key: { namespace: "apps", name: "constructor" } };
    expect(() => findKey(tables(), by)).toThrow("MasterKey apps/constructor is not there");
  });
});

describe("a keyId that several MasterKeys claim", () => {
  const thief: KeyRow = { ...key({ namespace: "tenant", name: "thief", enabled: false }) };
  test("is the one's whom its versions name", () => {
    expect(findKey(tables([thief, secrets]), { keyId: keyId(1) })).toBe(secrets);
    const both = { ...thief, current: current(2) };
    expect(findKey(tables([both, secrets]), { keyId: keyId(1) })).toBe(secrets);
  });
  test("and no version says whose it is => InvalidArgument naming them: nobody gets another's key", () => {
    const { current: _, ...unversioned } = secrets;
    const by = { keyId: keyId(1) };
    expect(() => findKey(tables([thief, unversioned]), by)).toThrow(/several .*tenant\/thief, apps\/secrets/);
  });
});

describe("the current version", () => {
  test("of a key without one => NotReady", () => {
    const by = { keyId: keyId(2) };
    expect(() => currentVersion(tables(), by)).toThrow(
      expect.objectContaining({
        code: "NotReady",
        message: "MasterKey apps/other has no current version on this node yet",
      }),
    );
  });
  test("that is not in the keyring => KeyringCorrupt", () => {
    const corrupt = expect.objectContaining({ code: "KeyringCorrupt" });
    expect(() => currentVersion(tables([secrets], []), name)).toThrow(corrupt);
  });
  test("of a disabled key => is found: `decideUse` says that it may not be used", () => {
    const disabled = { ...secrets, enabled: false };
    expect(currentVersion(tables([disabled]), name).key.enabled).toBe(false);
  });
});
