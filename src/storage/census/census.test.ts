import { describe, expect, test } from "vitest";
import { parseEncryptionConfig } from "../encryption-config/encryption-config.ts";
import type { RangeOutcome } from "../etcd/etcd-client.ts";
import type { EtcdEntry, RangeRequest } from "../etcd/etcd-messages.ts";
import { storedObject } from "../etcd/storage-key.ts";
import type { StoredValue } from "../etcd/stored-value.ts";
import { isClean, staleRows, takeCensus } from "./census.ts";
import { censusScope, inScope, scopeOf, scopePaths } from "./census-scope.ts";
import { CensusTally } from "./census-tally.ts";

const kms = (keyId: string, provider = "secrets"): StoredValue => ({ kind: "kms-v2", provider, keyId });
const SOCKET = "/run/claviger/secrets.sock";
const CONFIG = parseEncryptionConfig(
  `apiVersion: apiserver.config.k8s.io/v1
kind: EncryptionConfiguration
resources:
  - { resources: ["*.kms.claviger.dev", events], providers: [{ identity: {} }] }
  - { resources: [pods], providers: [{ identity: {} }] }
  - resources: [secrets, pods, deployments.apps]
    providers: [{ kms: { apiVersion: v2, name: secrets, endpoint: "unix://${SOCKET}" } }, { identity: {} }]
  - { resources: ["*.apps"], providers: [{ identity: {} }] }
  - { resources: ["*.*"], providers: [{ kms: { apiVersion: v2, name: all, endpoint: "unix:///run/all.sock" } }] }
`,
  "/enc.yaml",
);

describe("the scope of a socket's resources", () => {
  const scope = censusScope(CONFIG, [SOCKET]);
  const all = censusScope(CONFIG, ["/run/all.sock"]);
  test.each([
    ["secrets/default/x", true, false],
    ["deployments/default/x", true, false],
    ["daemonsets/default/x", false, false],
    ["configmaps/default/x", false, true],
    ["shop.example.com/carts/x", false, true],
    ["kms.claviger.dev/masterkeys/a/b", false, false],
    ["events/default/x", false, false],
  ])("%s: counted for the socket of secrets: %j, of all else: %j", (key, secrets, rest) => {
    expect(inScope(scope, storedObject(key))).toBe(secrets);
    expect(inScope(all, storedObject(key))).toBe(rest);
  });
  test("a resource that a second entry reads through the socket => is counted", () => {
    expect(inScope(scope, storedObject("pods/default/x"))).toBe(true);
  });
  test("a resource whose group the key does not tell => is counted where it may be meant", () => {
    const frob = storedObject("frobs/default/x");
    expect(inScope(all, frob)).toBe(true);
    expect(inScope(scope, frob)).toBe(false);
    expect(inScope(scopeOf(["*.storage.k8s.io"]), frob)).toBe(true);
    expect(inScope(scopeOf(["frobs.storage.k8s.io"]), frob)).toBe(true);
    expect(inScope(scopeOf(["*."]), frob)).toBe(false);
  });
  test("named resources => only their keys are read; with a wildcard, all", () => {
    expect(scopePaths(scope)).toEqual(["deployments/", "pods/", "secrets/"]);
    expect(scopePaths(all)).toEqual([""]);
    expect(scopePaths(censusScope(CONFIG, ["/run/none.sock"]))).toEqual([]);
  });
  test("a path below another one => no key is read twice", () => {
    const both = scopeOf(["services", "endpoints", "services.serving.example.com"]);
    expect(scopePaths(both)).toEqual(["services/", "serving.example.com/services/"]);
  });
});

describe("the tally", () => {
  test("counts by resource and key_id, with a few names, the most objects first", () => {
    const tally = new CensusTally({ examples: 2, rows: 100 });
    for (const name of ["a", "b", "c"]) tally.add(storedObject(`secrets/x/${name}`), kms("new"));
    tally.add(storedObject("secrets/x/d"), kms("old"));
    tally.add(storedObject("minions/n"), { kind: "plain" });
    expect(tally.rows()).toEqual([
      { resource: "nodes", stored: { kind: "plain" }, objects: 1, examples: ["n"] },
      { resource: "secrets", stored: kms("new"), objects: 3, examples: ["x/a", "x/b"] },
      { resource: "secrets", stored: kms("old"), objects: 1, examples: ["x/d"] },
    ]);
  });
  test("keeps apart names that would run together", () => {
    const tally = new CensusTally({ examples: 1, rows: 100 });
    tally.add(storedObject("secrets/x/a"), kms("b\0c", "a"));
    tally.add(storedObject("secrets/x/a"), kms("c", "a\0b"));
    expect(tally.rows()).toHaveLength(2);
  });
  test("past its rows => counts what is not listed", () => {
    const tally = new CensusTally({ examples: 1, rows: 2 });
    for (let n = 0; n < 10; n += 1) tally.add(storedObject("secrets/x/a"), kms(`key-${n}`));
    expect(tally.rows()).toHaveLength(2);
    expect(tally).toMatchObject({ objects: 10, unlisted: 8 });
  });
});

describe("whether a census is clean", () => {
  const expected = new Map([["secrets", "new"]]);
  const census = (stored: StoredValue, unlisted = 0) => ({
    revision: 1,
    objects: 1,
    rows: [{ resource: "secrets", stored, objects: 1, examples: [] }],
    unlisted,
  });
  test.each([
    ["the key_id that the provider encrypts under", kms("new"), true],
    ["another key_id", kms("old"), false],
    ["a provider that is not known", kms("new", "other"), false],
    ["plain", { kind: "plain" }, false],
    ["a key of the file", { kind: "secretbox", keyName: "a" }, false],
    ["kms v1", { kind: "kms-v1", provider: "secrets" }, false],
    ["damaged", { kind: "damaged", provider: "secrets" }, false],
  ] satisfies [string, StoredValue, boolean][])("%s", (_, stored, clean) => {
    expect(isClean(census(stored), expected)).toBe(clean);
    expect(staleRows(census(stored), expected)).toHaveLength(clean ? 0 : 1);
  });
  test.each([
    ["plain", { kind: "plain" }, true],
    ["another key_id", kms("old"), false],
  ] satisfies [string, StoredValue, boolean][])(
    "what API servers keep for themselves: %s",
    (_, stored, clean) => {
      const rows = [{ resource: "servicenodeportallocations", stored, objects: 1, examples: [] }];
      expect(isClean({ ...census(stored), rows }, expected)).toBe(clean);
    },
  );
  test("objects that are in no row => not clean", () => {
    expect(isClean(census(kms("new"), 1), expected)).toBe(false);
  });
  test("nothing at all => clean", () => {
    expect(isClean({ ...census(kms("old")), rows: [] }, expected)).toBe(true);
  });
});

describe("a census that etcd compacts away", () => {
  const entry = (key: string): EtcdEntry => ({
    key: Buffer.from(key),
    value: Buffer.alloc(0),
    modRevision: 1,
  });
  /** Answers one page and then that the revision was compacted, this many times. */
  function reader(compactions: number) {
    const asked: RangeRequest[] = [];
    let left = compactions;
    const range = async (request: RangeRequest): Promise<RangeOutcome> => {
      asked.push(request);
      if (request.revision > 0 && left-- > 0) return { kind: "compacted" };
      const more = request.revision === 0;
      const key = more ? "/registry/secrets/x/a" : "/registry/secrets/x/b";
      return {
        kind: "page",
        bytes: 10,
        clusterId: 1,
        revision: asked.length,
        entries: [entry(key)],
        more,
        count: 2,
      };
    };
    return { range, asked };
  }
  const options = { prefix: "/registry", signal: new AbortController().signal };
  test("begins anew at a new revision and counts nothing twice", async () => {
    const etcd = reader(2);
    const census = await takeCensus(etcd, scopeOf(["secrets"]), options);
    expect(census).toMatchObject({ revision: 5, objects: 2 });
    expect(etcd.asked.map(({ revision }) => revision)).toEqual([0, 1, 0, 3, 0, 5]);
  });
  test("time and again => an Etcd error that says what to do", async () => {
    await expect(takeCensus(reader(9), scopeOf(["secrets"]), options)).rejects.toThrow(
      expect.objectContaining({
        code: "Etcd",
        message: expect.stringMatching(/compacted .* 3 times.*try again/),
      }),
    );
  });
});
