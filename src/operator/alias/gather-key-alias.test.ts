import { expect, test } from "vitest";
import { keyAlias, keyServer, masterKey, NOW } from "../../testing/objects.ts";
import { OwnRecord } from "../claims/own-record.ts";
import { ViewIndex } from "../claims/view-index.ts";
import { gatherKeyAlias } from "./gather-key-alias.ts";

/** Gathers an alias that is not served by the only node with a KeyServer. */
function gathered(...leases: readonly string[]) {
  const view = {
    masterKeys: [masterKey()],
    keyVersions: [],
    keyAliases: [keyAlias({})],
    keyServers: [keyServer("one", { providers: [] })],
    keyVersionsUpTo: "1",
    heardOf: new Map(["one", ...leases].map((node) => [node, NOW.getTime()])),
  };
  const index = new ViewIndex(view, new OwnRecord([], []));
  const keyring = { keys: () => [], aliases: () => [], versions: () => [] };
  const sources = { alias: keyAlias({}), index, keyring, lack: () => undefined, arnPrefix: "arn:" };
  return gatherKeyAlias(sources, NOW);
}

test("every node has reported and none serves the alias => it is not in service", () => {
  expect(gathered()).toMatchObject({ inService: false, importedAllowed: true });
});

test("a node has a Lease and no KeyServer => it may serve the alias, and allows no imported material", () => {
  expect(gathered("two")).toMatchObject({ inService: true, importedAllowed: false });
});
