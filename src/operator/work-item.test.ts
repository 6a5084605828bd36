import { expect, test } from "vitest";
import {
  KEY_SERVERS,
  keyAliasWork,
  masterKeyWork,
  RETIREMENT,
  uniqueWork,
  workKey,
  workNamespace,
} from "./work-item.ts";

const name = { namespace: "apps", name: "secrets" };

test.each([
  [masterKeyWork(name), "MasterKey apps/secrets", "apps"],
  [keyAliasWork(name), "KeyAlias apps/secrets", "apps"],
  [KEY_SERVERS, "KeyServers", ""],
  [RETIREMENT, "Retirement", ""],
])("the key and the namespace of %j", (item, key, namespace) => {
  expect([workKey(item), workNamespace(item)]).toEqual([key, namespace]);
});

test("equal items => one, in the order of their first mention", () => {
  const items = [masterKeyWork(name), KEY_SERVERS, masterKeyWork({ ...name }), keyAliasWork(name)];
  expect(uniqueWork(items)).toEqual([masterKeyWork(name), KEY_SERVERS, keyAliasWork(name)]);
});
