import { describe, expect, test } from "vitest";
import { apiServerId, apiServerIdHash } from "../../kube/api-server-id.ts";
import type { ApiServerWord } from "../../kube/api-server-metrics.ts";
import { type ConfigFile, decideApiServer, isOwnWord, type Machine } from "./decide-api-server.ts";

const HASH = `sha256:${"a".repeat(64)}`;
const OTHER = `sha256:${"b".repeat(64)}`;
const START = Date.parse("2026-01-02T03:00:00Z");
const EDIT = Date.parse("2026-01-02T04:00:00Z");
const word = (changes: Partial<ApiServerWord> = {}): ApiServerWord => ({
  startTime: START,
  idHash: apiServerIdHash(apiServerId("node-1")),
  configHash: HASH,
  minor: 37,
  reloads: 0,
  hasFile: true,
  ...changes,
});
const without: ApiServerWord = { startTime: START, minor: 37, reloads: 0, hasFile: false };
const file = (changes: Partial<ConfigFile> = {}): ConfigFile => ({
  path: "/etc/enc.yaml",
  hash: HASH,
  editedAt: EDIT,
  ...changes,
});
const decide = (said: ApiServerWord, on: ConfigFile | undefined = file(), lastStatusAt?: number) =>
  decideApiServer({ heard: { kind: "word", word: said, at: 0 }, file: on, lastStatusAt });

describe("by which file an API server goes", () => {
  test.each<readonly [string, ReturnType<typeof decide>, string, string | undefined]>([
    ["the hash is that of the file => Loaded", decide(word()), "Loaded", undefined],
    [
      "another hash => NotLoaded",
      decide(word({ configHash: OTHER })),
      "NotLoaded",
      "EncryptionConfigNotLoaded",
    ],
    [
      "another hash, and a try that was dropped since the edit => refused",
      decide(word({ configHash: OTHER, droppedAt: EDIT })),
      "NotLoaded",
      "EncryptionConfigRefused",
    ],
    [
      "another hash, and a try that was dropped before the edit => NotLoaded",
      decide(word({ configHash: OTHER, droppedAt: EDIT - 1 })),
      "NotLoaded",
      "EncryptionConfigNotLoaded",
    ],
    [
      "the file is gone => NotLoaded",
      decide(word(), file({ hash: undefined, editedAt: 0 })),
      "NotLoaded",
      "EncryptionConfigNotLoaded",
    ],
    [
      "no series of a file, from a release that has them => NotConfigured",
      decide(without),
      "NotConfigured",
      "EncryptionConfigNotConfigured",
    ],
    [
      "the same, and Status was last asked before it was started => NotConfigured",
      decide(without, file(), START),
      "NotConfigured",
      "EncryptionConfigNotConfigured",
    ],
    [
      "the same, and yet it asks for Status => nobody knows",
      decide(without, file(), START + 60_000),
      "Unknown",
      "NotCompared",
    ],
    [
      "the same, of nobody knows which start => nobody knows",
      decide({ minor: 37, reloads: 0, hasFile: false }),
      "Unknown",
      "NotCompared",
    ],
    [
      "no series of a file, from a release before them => nobody knows",
      decide({ ...without, minor: 33 }),
      "Unknown",
      "NotCompared",
    ],
    [
      "no series of a file, from nobody knows which release => nobody knows",
      decide({ startTime: START, reloads: 0, hasFile: false }),
      "Unknown",
      "NotCompared",
    ],
    [
      "it has a file, and does not name it => nobody knows",
      decide({ ...without, hasFile: true }),
      "Unknown",
      "NotCompared",
    ],
    [
      "nothing to compare with => nobody knows",
      decideApiServer({
        heard: { kind: "word", word: word(), at: 0 },
        file: undefined,
        lastStatusAt: undefined,
      }),
      "Unknown",
      "NotCompared",
    ],
    [
      "without a file here, it says that it has none => NotConfigured",
      decideApiServer({
        heard: { kind: "word", word: without, at: 0 },
        file: undefined,
        lastStatusAt: undefined,
      }),
      "NotConfigured",
      "EncryptionConfigNotConfigured",
    ],
    [
      "it was not heard => nobody knows",
      decideApiServer({
        heard: { kind: "unknown", why: "it is away" },
        file: file(),
        lastStatusAt: undefined,
      }),
      "Unknown",
      "NotCompared",
    ],
  ])("%s", (_, { status, finding }, expected, reason) => {
    expect(status.encryptionConfig).toBe(expected);
    expect(finding?.reason).toBe(reason);
    expect(finding?.status).toBe(
      reason === undefined ? undefined : reason === "NotCompared" ? "Unknown" : "False",
    );
    expect(status.message).toBe(finding?.message);
  });
  test("its start and what it goes by are told", () => {
    expect(decide(word({ configHash: OTHER })).status).toMatchObject({
      startTime: "2026-01-02T03:00:00Z",
      configHash: OTHER,
    });
  });
  test.each([
    ["it tried the file and dropped it", decide(word({ configHash: OTHER, droppedAt: EDIT + 1 }))],
    [
      "claviger finds the file at fault",
      decide(word({ configHash: OTHER }), file({ fault: "cachesize must not be set" })),
    ],
    [
      "both",
      decide(word({ configHash: OTHER, droppedAt: EDIT + 1 }), file({ fault: "cachesize must not be set" })),
    ],
  ])("%s => nobody is told to restart it: it would not start", (_, { finding }) => {
    expect(finding?.message).toMatch(/[Dd]o not restart/);
    expect(finding?.message).not.toMatch(/without automatic reload, restart it/);
  });
  test("why claviger finds it at fault is said", () => {
    const { finding } = decide(word({ configHash: OTHER }), file({ fault: "cachesize must not be set" }));
    expect(finding?.message).toContain("cachesize must not be set");
  });
  test("the message is the same at each look: a KeyServer is not written for a count", () => {
    const at = (droppedAt: number) => decide(word({ configHash: OTHER, droppedAt })).status;
    expect(at(EDIT + 1)).toEqual(at(EDIT + 60_000));
  });
});

describe("whose word it is", () => {
  const machine: Machine = {
    hostnames: ["host.example.com", "node-1"],
    isOwnAddress: (address) => address === "127.0.0.1" || address === "10.0.0.1",
  };
  const of = (hostname: string) => apiServerIdHash(apiServerId(hostname));
  test.each<readonly [string, ApiServerWord, ApiServerWord | undefined, boolean]>([
    ["of the host's name", word({ idHash: of("host.example.com") }), undefined, true],
    ["of the node's name, as from a container", word(), undefined, true],
    [
      "of another host, by way of a load balancer on this machine",
      word({ idHash: of("node-2"), address: "127.0.0.1" }),
      undefined,
      false,
    ],
    ["without a name, from this machine", { ...without, address: "10.0.0.1" }, undefined, true],
    ["without a name, from another one", { ...without, address: "10.0.0.2" }, undefined, false],
    ["without a name, from nowhere", without, undefined, false],
    [
      "without a name, started since this node's was",
      { ...without, address: "127.0.0.1", startTime: START + 1 },
      word(),
      true,
    ],
    [
      "without a name, started before this node's was: another one's",
      { ...without, address: "127.0.0.1", startTime: START - 1 },
      word(),
      false,
    ],
  ])("%s", (_, said, before, isOwn) => {
    expect(isOwnWord(said, machine, before) === undefined).toBe(isOwn);
  });
});
