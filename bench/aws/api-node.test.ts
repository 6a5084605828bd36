import { join } from "node:path";
import { expect, it } from "vitest";
import type { GrantRow } from "../../src/keyring/grant-row.ts";
import { LiveGrants } from "../../src/keyring/live/live-grants.ts";
import { KeyringReader } from "../../src/keyring/reader.ts";
import { KEYRING_FILE } from "../../src/keyring/state-folder.ts";
import { temporaryFolder } from "../../src/testing/keyring.ts";
import { makeApiNode } from "./api-node.ts";
import { SPECS } from "./keys.ts";

it("the node that is measured has recorded all its keys, policies and grants, so that its API is ready", async () => {
  using folder = temporaryFolder();
  const { dir } = await makeApiNode(join(folder.path, "node"), { isSecure: false });
  const keyring = join(dir, "state", KEYRING_FILE);
  const grants = new Set<string>();
  const put = ({ grantId }: GrantRow) => grants.add(grantId);
  const live = new LiveGrants(keyring, { put, delete: () => undefined, clear: () => undefined });
  live.start();
  expect([live.complete, grants.size]).toEqual([true, Object.keys(SPECS).length]);
  live.close();
  const reader = KeyringReader.open(keyring);
  expect(reader.hasFollowed("MasterKey")).toBe(true);
  expect(reader.policyStamp({ namespace: "bench", name: "symmetric" }).areRecorded).toBe(true);
  reader.close();
});
