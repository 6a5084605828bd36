import { describe, expect, test } from "vitest";
import type { KeyringChange } from "../../../keyring/changes.ts";
import { policyDigest } from "../../../keyring/tables/key-policies.ts";
import type { Seal } from "../../../resources/key-version-rows.ts";
import { keyVersionName, toKeyVersionSpec, toVersionRow } from "../../../resources/key-version-rows.ts";
import type { MasterKey } from "../../../resources/resources.ts";
import {
  EARLIER,
  keyAlias,
  keyId,
  keyRow,
  keyVersion,
  masterKey,
  statusWith,
  versionId,
  versionRow,
} from "../../../testing/objects.ts";
import { decideKeyring } from "./decide-keyring.ts";
import type { KeyringContents, ObservedResources } from "./keyring-plan.ts";

const v1 = keyVersion(1);
const v2 = keyVersion(2);
const v3 = keyVersion(3);
const twin2 = keyVersion(2, { spec: { versionId: versionId(99) } });
const rows = { v1: versionRow(1), v2: versionRow(2), v3: versionRow(3), twin2: toVersionRow(twin2) };
const atV1 = masterKey({ status: statusWith(v1) });
const atV2 = masterKey({ status: statusWith(v2) });
const disabled = (key: MasterKey) => ({ ...key, spec: { ...key.spec, enabled: false } });

const decide = (
  resources: Partial<ObservedResources>,
  keyring: Partial<KeyringContents> = {},
  acceptable = (resources.keyVersions ?? []).map(({ metadata }) => metadata.name),
  { proven = [], served = [] }: { proven?: readonly string[]; served?: readonly string[] } = {},
) =>
  decideKeyring(
    { masterKeys: [], keyVersions: [], keyAliases: [], ...resources },
    { keys: [], aliases: [], versions: [], ...keyring },
    { acceptable: new Set(acceptable), proven: new Set(proven), served: new Set(served) },
  );

/** Returns the n-th proof of a version, as in its KeyVersion. */
const proof = (revision: number) => ({ revision, provider: "file", rootKeyId: "root-1", sealed: "cHJvb2Y=" });

/** Describes a change in a few words. */
function brief(change: KeyringChange): string {
  switch (change.kind) {
    case "putVersion":
      return `putVersion ${change.version.versionId}`;
    case "putKey":
      return `putKey ${change.key.keyId}${change.key.enabled ? "" : " disabled"}`;
    case "setCurrent":
      return `setCurrent ${change.version.versionId}`;
    case "putAlias":
      return `putAlias ${change.alias.name} ${change.alias.masterKey}`;
    case "forgetKey":
      return `forgetKey ${change.key.name}`;
    case "reclaimKey":
      return `reclaimKey ${change.version.versionId}`;
    case "putFormerKeyIds":
      return `putFormerKeyIds ${change.keyIds.join(" ")}`;
    case "putPolicy":
      return `putPolicy ${change.policy.name} ${change.policy.document?.length}`;
    case "removePolicy":
      return `removePolicy ${change.key.name}`;
    case "destroyVersion":
      return `destroyVersion ${change.tombstone.versionId}`;
  }
}
const changes = (...given: Parameters<typeof decide>) => decide(...given).changes.map(brief);

const putVersion = (n: number) => `putVersion ${versionId(n)}`;
const setCurrent = (n: number) => `setCurrent ${versionId(n)}`;
const putKey = (n: number) => `putKey ${keyId(n)}`;

interface Row {
  readonly name: string;
  readonly resources?: Partial<ObservedResources>;
  readonly keyring?: Partial<KeyringContents>;
  readonly expected: readonly string[];
}

describe("imported material", () => {
  const external = { origin: "EXTERNAL", materialId: "ab".repeat(32) } as const;
  const until = (validTo: string) => keyVersion(1, { spec: { ...external, validTo } });
  const forEver = keyVersion(1, { spec: external });
  const early = until("2026-06-01T00:00:00Z");
  const late = until("2026-09-01T00:00:00Z");
  const row = (version: typeof early) => ({ versions: [toVersionRow(version)] });
  const validTo = (change: KeyringChange | undefined) =>
    change?.kind === "putVersion" ? (change.version.validTo ?? "for ever") : change;

  test("is kept with what names it and with its end, and handed back with both", () => {
    expect(toKeyVersionSpec(toVersionRow(late))).toEqual(late.spec);
    expect(toKeyVersionSpec(toVersionRow(forEver))).toEqual(forEver.spec);
  });
  const withProof = (version: typeof early, revision: number) => ({
    ...version,
    spec: { ...version.spec, ownership: proof(revision) },
  });
  const decideProven = (theirs: typeof early, mine: typeof early) =>
    decide({ keyVersions: [theirs] }, row(mine), [], { proven: [theirs.metadata.name] });

  test.each([
    ["a later validTo => taken", late, early, Date.parse("2026-09-01T00:00:00Z")],
    [
      "an earlier validTo => taken too: a re-import can say so",
      early,
      late,
      Date.parse("2026-06-01T00:00:00Z"),
    ],
    ["no validTo any more => taken", forEver, early, "for ever"],
  ])("the API server has %s, if a later proof says so", (_, theirs, mine, expected) => {
    for (const before of [mine, withProof(mine, 1)]) {
      const plan = decideProven(withProof(theirs, 2), before);
      expect(validTo(plan.changes[0])).toBe(expected);
      expect(plan).toMatchObject({ bindingsDiffer: [], contradictions: [], unproven: [] });
    }
  });
  test.each([
    ["without a proof", (theirs: typeof early) => theirs],
    ["with the proof of another text", (theirs: typeof early) => withProof(theirs, 3)],
  ])("another validTo %s => ours stays and is put back", (_, changed) => {
    for (const mine of [early, withProof(early, 2)]) {
      const plan = decide({ keyVersions: [changed(late)] }, row(mine));
      expect(plan.changes).toEqual([]);
      expect(plan.bindingsDiffer).toMatchObject([{ mine: toVersionRow(mine) }]);
      expect(plan.unproven).toEqual([]);
    }
  });
  test("an earlier proof, put back by somebody => ours stays and is put back", () => {
    const plan = decideProven(withProof(early, 1), withProof(late, 2));
    expect(plan).toMatchObject({ changes: [], bindingsDiffer: [{}] });
  });
  test("two leaders that proved at once => every node takes the later end", () => {
    expect(decideProven(withProof(late, 2), withProof(early, 2)).changes).toHaveLength(1);
    expect(decideProven(withProof(early, 2), withProof(late, 2)).changes).toEqual([]);
  });
  test("the same on both sides => no change; without a proof it waits for the leader's", () => {
    expect(decide({ keyVersions: [early] }, row(early))).toMatchObject({
      changes: [],
      bindingsDiffer: [],
      unproven: [{}],
    });
    expect(decideProven(withProof(early, 1), withProof(early, 1))).toMatchObject({
      changes: [],
      bindingsDiffer: [],
      unproven: [],
    });
  });
  test("another proven validTo and another seal => the seal is settled for itself", () => {
    const seal = { ...toKeyVersionSpec(toVersionRow(late)).seal, sealed: "b3RoZXI=" };
    const theirs = withProof({ ...late, spec: { ...late.spec, seal } }, 1);
    const plan = decideProven(theirs, early);
    const mine = toVersionRow(early).sealed;
    expect(plan.changes).toEqual([
      { kind: "putVersion", version: { ...toVersionRow(theirs), sealed: mine } },
    ]);
    expect(plan.sealsDiffer).toHaveLength(1);
  });
  test("another materialId under one versionId => a contradiction, and ours stays", () => {
    const theirs = keyVersion(1, { spec: { ...external, materialId: "cd".repeat(32) } });
    const plan = decide({ keyVersions: [theirs] }, row(forEver));
    expect(plan.changes).toEqual([]);
    expect(plan.contradictions).toHaveLength(1);
  });
});

describe("material that claviger made", () => {
  test("a validTo that somebody wrote => does not expire it, and is taken out", () => {
    const expired = keyVersion(1, { spec: { validTo: "2001-01-01T00:00:00Z" } });
    const plan = decide({ keyVersions: [expired] }, { versions: [rows.v1] });
    expect(plan).toMatchObject({ changes: [], bindingsDiffer: [{ mine: rows.v1 }] });
    expect(toVersionRow(expired).validTo).toBeUndefined();
  });
});

describe("the owner of a version", () => {
  const thief = { namespace: "tenant", name: "stolen" };
  const genuine = keyVersion(1, { spec: { ownership: proof(1) } });
  const relabelled = keyVersion(1, {
    spec: { masterKey: thief, ownership: proof(1) },
    metadata: { name: "a-copy", creationTimestamp: "2025-12-31T00:00:00Z" },
  });
  const stripped = keyVersion(1, { spec: { masterKey: thief }, metadata: relabelled.metadata });
  const names = ["a-copy", genuine.metadata.name];

  test.each([
    ["a copy with the original's proof", relabelled],
    ["a copy without a proof", stripped],
  ])("%s, older than the original => a new node stores the original", (_, copy) => {
    const plan = decide({ keyVersions: [copy, genuine] }, {}, names, { proven: [genuine.metadata.name] });
    expect(plan.changes).toEqual([{ kind: "putVersion", version: toVersionRow(genuine) }]);
    expect(plan.contradictions).toEqual([expect.stringContaining("KeyVersion a-copy does not match")]);
  });
  test("a copy beside an original of an older release => the usual name, which nobody else can have, decides", () => {
    const plan = decide({ keyVersions: [stripped, v1] }, {}, names);
    expect(plan.changes).toEqual([{ kind: "putVersion", version: rows.v1 }]);
  });
  test("a forged proof of a high revision on a version that is new here => it is stored without any", () => {
    const forged = keyVersion(1, { spec: { ownership: proof(1_000_000_000) } });
    expect(decide({ keyVersions: [forged] }).changes).toEqual([{ kind: "putVersion", version: rows.v1 }]);
    const plan = decide({ keyVersions: [genuine] }, { versions: [rows.v1] }, [], {
      proven: [genuine.metadata.name],
    });
    expect(plan.changes).toEqual([{ kind: "putVersion", version: toVersionRow(genuine) }]);
  });
  test("recorded under another name before anybody proved it => the proof wins", () => {
    const mine = toVersionRow(stripped);
    const plan = decide({ keyVersions: [genuine] }, { versions: [mine] }, [], {
      proven: [genuine.metadata.name],
    });
    expect(plan.changes).toEqual([{ kind: "putVersion", version: toVersionRow(genuine) }]);
    expect(plan).toMatchObject({ contradictions: [], handBack: [] });
  });
  test("the original is gone and a relabelled copy is there => the original is handed back", () => {
    const plan = decide({ keyVersions: [stripped] }, { versions: [rows.v1] });
    expect(plan.handBack).toEqual([rows.v1]);
  });

  const other = { spec: { masterKey: thief, keyId: keyId(2) } } as const;
  const foreign = keyVersion(7, other);
  const foreignRow = versionRow(7, other);

  test("a status that names another MasterKey's key => is not followed, and said", () => {
    const led = masterKey({ status: statusWith(foreign) });
    const keyring = { keys: [keyRow(1)], versions: [rows.v1, foreignRow] };
    const plan = decide({ masterKeys: [led], keyVersions: [v1, foreign] }, keyring);
    expect(plan.changes).toEqual([]);
    expect(plan.contradictions).toEqual([expect.stringContaining("which is another MasterKey's key")]);
  });
  test("a status whose current version alone is another MasterKey's => is not followed, and said", () => {
    const led = masterKey({ status: { ...statusWith(foreign), keyId: keyId(1) } });
    const keyring = { keys: [keyRow(1)], versions: [rows.v1, foreignRow] };
    const plan = decide({ masterKeys: [led], keyVersions: [v1, foreign] }, keyring);
    expect(plan.changes).toEqual([]);
    expect(plan.contradictions).toEqual([
      expect.stringContaining("names version 7 of MasterKey tenant/stolen as its current one"),
    ]);
  });
  test("a new MasterKey that claims another's keyId => gets no key here", () => {
    const claimant = masterKey({
      metadata: { namespace: "tenant", name: "stolen" },
      status: statusWith(v1),
    });
    const plan = decide({ masterKeys: [claimant], keyVersions: [v1] }, { versions: [rows.v1] });
    expect(plan.changes).toEqual([]);
    expect(plan.contradictions).toHaveLength(1);
  });
});

describe("a keyId that has no version yet", () => {
  const named = (namespace: string, name: string) =>
    masterKey({ metadata: { namespace, name }, status: { keyId: keyId(1) } });
  const own = named("apps", "secrets");
  const copy = named("tenant", "stolen");
  const row = keyRow();
  const copied = keyRow(undefined, { namespace: "tenant", name: "stolen" });

  test("is claimed by a second MasterKey => the first keeps it, and that is said", () => {
    const plan = decide({ masterKeys: [copy, own] }, { keys: [row] });
    expect(plan.changes).toEqual([]);
    expect(plan.contradictions).toEqual([expect.stringContaining("MasterKey tenant/stolen has keyId")]);
  });
  test("is claimed by a second MasterKey before this node has recorded the first => neither has it, and both are named", () => {
    const plan = decide({ masterKeys: [copy, own] });
    expect(plan.changes).toEqual([]);
    expect(plan.contradictions).toEqual([
      expect.stringContaining("MasterKey tenant/stolen has keyId"),
      expect.stringContaining("MasterKey apps/secrets has keyId"),
    ]);
  });
  test("is another one's by its tombstone => is not given away", () => {
    const { sealed: _, ...identity } = rows.v1;
    const gone = { ...identity, destroyedAt: EARLIER, reason: "", proof: rows.v1.sealed };
    expect(decide({ masterKeys: [copy] }, { tombstones: [gone] }).changes).toEqual([]);
  });
  test("was recorded under two names => gets its version, and the name that it does not name is forgotten", () => {
    const keyring = { keys: [row, copied], versions: [rows.v1] };
    const plan = decide({ masterKeys: [copy, atV1], keyVersions: [v1] }, keyring);
    expect(plan.changes).toEqual([
      { kind: "forgetKey", key: expect.objectContaining({ namespace: "tenant", name: "stolen" }) },
      expect.objectContaining({ kind: "setCurrent" }),
    ]);
  });
  test("was recorded under two names, without a version => is neither's", () => {
    const plan = decide({ masterKeys: [copy, own] }, { keys: [row, copied] });
    expect(plan.changes.map(({ kind }) => kind)).toEqual(["forgetKey", "forgetKey"]);
  });
});

describe("a deletion that a status claims", () => {
  const deletion = { scheduledAt: EARLIER, deletionDate: "2026-02-01T00:00:00Z" };
  const asked = { deletion: { pendingWindowInDays: 30 } };
  const keyring = { keys: [keyRow(1)], versions: [rows.v1] };
  const dateOf = (plan: ReturnType<typeof decide>) =>
    plan.changes.flatMap((change) => (change.kind === "putKey" ? change.key.deletionDate : []));
  const claimed = masterKey({ status: { ...statusWith(v1), deletion } });

  test("nobody asked for it => the key continues to be served", () => {
    expect(dateOf(decide({ masterKeys: [claimed], keyVersions: [v1] }, keyring))).toEqual([]);
  });
  test("it was asked for => the key is pending deletion here too", () => {
    const wanted = { ...claimed, spec: { ...claimed.spec, ...asked } };
    const plan = decide({ masterKeys: [wanted], keyVersions: [v1] }, keyring);
    expect(dateOf(plan)).toEqual([deletion.deletionDate]);
  });
  test("it was asked for and a provider of this node serves the key => it continues to be served, and that is said", () => {
    const wanted = { ...claimed, spec: { ...claimed.spec, ...asked } };
    const served = { served: [rows.v1.versionId] };
    const plan = decide({ masterKeys: [wanted], keyVersions: [v1] }, keyring, [], served);
    expect(plan.changes).toEqual([]);
    expect(plan.contradictions).toEqual([expect.stringContaining("a provider of this node serves it")]);
    const before = { ...keyring, keys: [keyRow(1, { deletionDate: "2026-01-20T00:00:00Z" })] };
    expect(dateOf(decide({ masterKeys: [wanted], keyVersions: [v1] }, before, [], served))).toEqual([
      deletion.deletionDate,
    ]);
  });
});

describe("keys and versions", () => {
  const withPolicy = (policy: Readonly<Record<string, unknown>>) => ({
    ...atV1,
    spec: { ...atV1.spec, policy },
  });
  const inStep = () => ({ keys: [keyRow(1)], versions: [rows.v1] });
  const recorded = (document: string, id = keyId(1)) =>
    new Map([["apps/secrets", { keyId: id, digest: policyDigest(document) }]]);
  const table: readonly Row[] = [
    { name: "nothing anywhere => no changes", expected: [] },
    { name: "a key without a keyId => no changes", resources: { masterKeys: [masterKey()] }, expected: [] },
    {
      name: "versions that are new here => stored, also of keys that are not known yet",
      resources: { keyVersions: [v1, v2] },
      keyring: { versions: [rows.v1] },
      expected: [putVersion(2)],
    },
    {
      name: "a key that has nothing current yet => it is named",
      resources: { masterKeys: [masterKey({ status: { keyId: keyId(1) } })], keyVersions: [v1] },
      expected: [putVersion(1), putKey(1)],
    },
    {
      name: "a new node => version before key before current version, in one transaction",
      resources: { masterKeys: [atV1], keyVersions: [v1] },
      expected: [putVersion(1), putKey(1), setCurrent(1)],
    },
    {
      name: "a new node and a key policy => the policy before the key, in one transaction",
      resources: { masterKeys: [withPolicy({ Statement: [] })], keyVersions: [v1] },
      expected: [putVersion(1), "putPolicy secrets 16", putKey(1), setCurrent(1)],
    },
    {
      name: "the same policy => no changes",
      resources: { masterKeys: [withPolicy({ Statement: [] })], keyVersions: [v1] },
      keyring: { ...inStep(), policies: recorded('{"Statement":[]}') },
      expected: [],
    },
    {
      name: "another policy => stored",
      resources: { masterKeys: [withPolicy({ Statement: [1] })], keyVersions: [v1] },
      keyring: { ...inStep(), policies: recorded('{"Statement":[]}') },
      expected: ["putPolicy secrets 17"],
    },
    {
      name: "the same policy that another key of the name had => stored for this key",
      resources: { masterKeys: [withPolicy({ Statement: [] })], keyVersions: [v1] },
      keyring: { ...inStep(), policies: recorded('{"Statement":[]}', keyId(2)) },
      expected: ["putPolicy secrets 16"],
    },
    {
      name: "a policy of more than 32 KiB => stored without its document, which allows nothing",
      resources: { masterKeys: [withPolicy({ Id: "x".repeat(33_000) })], keyVersions: [v1] },
      keyring: { ...inStep(), policies: recorded('{"Statement":[]}') },
      expected: ["putPolicy secrets undefined"],
    },
    {
      name: "no policy any more => removed",
      resources: { masterKeys: [atV1], keyVersions: [v1] },
      keyring: { ...inStep(), policies: recorded('{"Statement":[]}') },
      expected: ["removePolicy secrets"],
    },
    {
      name: "a MasterKey of another key, which cannot encrypt yet => the policy of the key that is served stays",
      resources: {
        masterKeys: [masterKey({ spec: { policy: { Statement: [] } }, status: { keyId: keyId(2) } })],
        keyVersions: [v1],
      },
      keyring: inStep(),
      expected: [],
    },
    {
      name: "in step => no changes",
      resources: { masterKeys: [atV1], keyVersions: [v1] },
      keyring: { keys: [keyRow(1)], versions: [rows.v1] },
      expected: [],
    },
    {
      name: "promoted => the new version is current",
      resources: { masterKeys: [atV2], keyVersions: [v1, v2] },
      keyring: { keys: [keyRow(1)], versions: [rows.v1, rows.v2] },
      expected: [setCurrent(2)],
    },
    {
      name: "promoted before the KeyVersion was seen => the old one stays current",
      resources: { masterKeys: [atV2], keyVersions: [v1] },
      keyring: { keys: [keyRow(1)], versions: [rows.v1] },
      expected: [],
    },
    {
      name: "the KeyVersion is gone and this node has it => it is made current all the same",
      resources: { masterKeys: [atV2] },
      keyring: { keys: [keyRow(1)], versions: [rows.v1, rows.v2] },
      expected: [setCurrent(2)],
    },
    {
      name: "etcd was restored and status names a lower number => never a lower current version",
      resources: { masterKeys: [atV1], keyVersions: [v1] },
      keyring: { keys: [keyRow(2)], versions: [rows.v1, rows.v2] },
      expected: [],
    },
    {
      name: "status names the current number under another id => all nodes take that one",
      resources: { masterKeys: [masterKey({ status: statusWith(twin2) })], keyVersions: [v2, twin2] },
      keyring: { keys: [keyRow(2)], versions: [rows.v2, rows.twin2] },
      expected: [setCurrent(99)],
    },
    {
      name: "status was emptied by a restore => nothing is taken away",
      resources: { masterKeys: [masterKey()] },
      keyring: { keys: [keyRow(2)], versions: [rows.v2] },
      expected: [],
    },
    {
      name: "disabled => the key is disabled and its version stays current",
      resources: { masterKeys: [disabled(atV1)], keyVersions: [v1] },
      keyring: { keys: [keyRow(1)], versions: [rows.v1] },
      expected: [`${putKey(1)} disabled`],
    },
    {
      name: "enabled again => the key is enabled",
      resources: { masterKeys: [atV1], keyVersions: [v1] },
      keyring: { keys: [keyRow(1, { enabled: false })], versions: [rows.v1] },
      expected: [putKey(1)],
    },
    {
      name: "disabled and promoted at once => both",
      resources: { masterKeys: [disabled(atV2)], keyVersions: [v1, v2] },
      keyring: { keys: [keyRow(1)], versions: [rows.v1, rows.v2] },
      expected: [`${putKey(1)} disabled`, setCurrent(2)],
    },
    {
      name: "everything was deleted => nothing is removed",
      keyring: {
        keys: [keyRow(1)],
        versions: [rows.v1],
        aliases: [{ namespace: "apps", name: "main", masterKey: "secrets" }],
      },
      expected: [],
    },
    {
      name: "status names a version of another key => it does not become current",
      resources: {
        masterKeys: [masterKey({ status: { ...statusWith(v1), keyId: keyId(2) } })],
        keyVersions: [v1],
      },
      expected: [putVersion(1), putKey(2)],
    },
  ];
  test.each(table)("$name", ({ resources = {}, keyring = {}, expected }) => {
    expect(changes(resources, keyring)).toEqual(expected);
  });
});

describe("a name that has passed to another key", () => {
  const other = keyVersion(1, { spec: { keyId: keyId(2), versionId: versionId(50) } });
  const old = { keys: [keyRow(3)], versions: [rows.v1, rows.v2, rows.v3] };

  test("the new key has no version => the old one continues to be served", () => {
    const masterKeys = [masterKey({ status: { keyId: keyId(2) } })];
    expect(changes({ masterKeys, keyVersions: [v1, v2, v3] }, old)).toEqual([]);
  });
  test("the new key's version is stored and not promoted => the old one continues to be served", () => {
    const masterKeys = [masterKey({ status: { keyId: keyId(2) } })];
    expect(changes({ masterKeys, keyVersions: [v1, v2, v3, other] }, old)).toEqual([putVersion(50)]);
  });
  test("promoted and not seen here yet => the old one continues to be served", () => {
    const masterKeys = [masterKey({ status: statusWith(other) })];
    expect(changes({ masterKeys, keyVersions: [v1, v2, v3] }, old)).toEqual([]);
  });
  test("promoted => name and current version pass in one transaction, though the number is lower", () => {
    const masterKeys = [masterKey({ status: statusWith(other) })];
    expect(changes({ masterKeys, keyVersions: [v1, v2, v3, other] }, old)).toEqual([
      putVersion(50),
      putKey(2),
      setCurrent(50),
    ]);
  });
  test("the old one never had a current version => the name passes at once", () => {
    const masterKeys = [masterKey({ status: { keyId: keyId(2) } })];
    expect(changes({ masterKeys }, { keys: [keyRow()] })).toEqual([putKey(2)]);
  });
  test("back to a keyId that the node left => the one it left for continues to be served, and the contradiction told", () => {
    const keyring = { ...old, keys: [{ ...keyRow(3), formerKeyIds: [keyId(2)] }] };
    const resources = {
      masterKeys: [masterKey({ status: statusWith(other) })],
      keyVersions: [v1, v2, v3, other],
    };
    expect(changes(resources, keyring)).toEqual([putVersion(50)]);
    expect(decide(resources, keyring).contradictions).toEqual([
      `MasterKey apps/secrets has keyId ${keyId(2)}, which this node left for ${keyId(1)}: it encrypts under that on, as a key_id must not return`,
    ]);
  });
  test("back to a keyId that the node left, and the one since was destroyed => not gone back to either", () => {
    const keys = [keyRow(undefined, { formerKeyIds: [keyId(2)] })];
    const resources = { masterKeys: [masterKey({ status: statusWith(other) })], keyVersions: [other] };
    expect(changes(resources, { keys })).toEqual([putVersion(50)]);
    expect(decide(resources, { keys }).contradictions).toHaveLength(1);
  });
  test("promoted and of another kind => the old one continues to be served, and the contradiction told", () => {
    const mac = keyVersion(1, {
      spec: {
        keyId: keyId(2),
        versionId: versionId(50),
        keySpec: "HMAC_256",
        keyUsage: "GENERATE_VERIFY_MAC",
      },
    });
    const resources = {
      masterKeys: [masterKey({ status: statusWith(mac) })],
      keyVersions: [v1, v2, v3, mac],
    };
    const plan = decide(resources, old);
    expect(plan.changes.map(brief)).toEqual([putVersion(50)]);
    expect(plan.contradictions).toEqual([
      `MasterKey apps/secrets has keyId ${keyId(2)}, which is another kind of key than ${keyId(1)}: this node serves ${keyId(1)} on`,
    ]);
  });
  test("disabled => the key that encrypts is disabled: the name is what people act on", () => {
    const masterKeys = [disabled(masterKey({ status: { keyId: keyId(2) } }))];
    expect(changes({ masterKeys }, old)).toEqual([`${putKey(1)} disabled`]);
  });
  test("disabled while the key that encrypts is pending deletion => it stays so", () => {
    const masterKeys = [disabled(masterKey({ status: { keyId: keyId(2) } }))];
    const pending = { deletionDate: "2026-12-24T00:00:00Z" };
    const { changes: planned } = decide({ masterKeys }, { ...old, keys: [keyRow(3, pending)] });
    expect(planned).toMatchObject([{ kind: "putKey", key: { keyId: keyId(1), enabled: false, ...pending } }]);
  });
});

describe("versions that do not open here", () => {
  test("=> are not stored, and do not become current", () => {
    expect(changes({ masterKeys: [atV1], keyVersions: [v1] }, {}, [])).toEqual([putKey(1)]);
  });
  test("one of several => the others are stored", () => {
    expect(changes({ keyVersions: [v1, v2] }, {}, [v2.metadata.name])).toEqual([putVersion(2)]);
  });
});

describe("several KeyVersions with one versionId", () => {
  const forged = (name: string, creationTimestamp?: string) =>
    keyVersion(2, {
      spec: { versionId: versionId(1) },
      metadata: { name, ...(creationTimestamp !== undefined && { creationTimestamp }) },
    });
  const told = [`KeyVersion forged does not match what this node holds under versionId ${versionId(1)}`];
  const copy = keyVersion(1, { metadata: { name: "copy" } });

  test("one opens => it is stored, in whatever order they come, and the other contradicts it", () => {
    for (const keyVersions of [
      [v1, forged("forged")],
      [forged("forged"), v1],
    ]) {
      const plan = decide({ keyVersions }, {}, [v1.metadata.name]);
      expect(plan.changes).toEqual([{ kind: "putVersion", version: rows.v1 }]);
      expect(plan.contradictions).toEqual(told);
      expect(plan.handBack).toEqual([]);
    }
  });
  test("both open and neither has the usual name => the older one is stored", () => {
    const older = forged("older", "2025-01-01T00:00:00Z");
    const plan = decide({ keyVersions: [copy, older] });
    expect(plan.changes).toEqual([{ kind: "putVersion", version: toVersionRow(older) }]);
  });
  test("none opens => none is stored", () => {
    expect(changes({ keyVersions: [v1, forged("forged")] }, {}, [])).toEqual([]);
  });
  test("the genuine one is held => it stays, and the other contradicts it", () => {
    const plan = decide({ keyVersions: [v1, forged("forged")] }, { versions: [rows.v1] });
    expect(plan).toMatchObject({ changes: [], handBack: [], contradictions: told });
  });
  test("the same twice => no change and no contradiction", () => {
    const plan = decide({ keyVersions: [v1, copy] }, { versions: [rows.v1] });
    expect(plan).toMatchObject({ changes: [], handBack: [], sealsDiffer: [], contradictions: [] });
    expect(plan.bindingsDiffer).toEqual([]);
  });
  test("the same twice, with two ends => the older one's counts", () => {
    const ends = keyVersion(1, { spec: { validTo: "2027-01-01T00:00:00Z" }, metadata: { name: "z" } });
    expect(changes({ keyVersions: [ends, v1] }, { versions: [rows.v1] })).toEqual([]);
  });
});

describe("aliases", () => {
  const wants = (name: string) => keyAlias({ spec: { masterKey: name }, status: { masterKey: name } });
  const row = { namespace: "apps", name: "main", masterKey: "secrets" };
  const otherKey = { masterKey: { namespace: "apps", name: "other" }, keyId: keyId(2) };
  const other = keyVersion(1, { spec: { ...otherKey, versionId: versionId(50) } });
  const otherRow = keyRow(undefined, { name: "other", keyId: keyId(2) });
  const current = { versionId: versionId(50), number: 1 };

  test("spec alone, not decided yet => no change", () => {
    expect(changes({ keyAliases: [keyAlias({})] })).toEqual([]);
  });
  test("status points for the first time => the alias is stored", () => {
    expect(changes({ keyAliases: [wants("secrets")] })).toEqual(["putAlias main secrets"]);
  });
  test("status points where it is => no change", () => {
    expect(changes({ keyAliases: [wants("secrets")] }, { aliases: [row] })).toEqual([]);
  });
  test("status moves to a key that encrypts here => the alias moves", () => {
    const keyring = { aliases: [row], keys: [{ ...otherRow, current }] };
    expect(changes({ keyAliases: [wants("other")] }, keyring)).toEqual(["putAlias main other"]);
  });
  test("status moves to a key that cannot encrypt here yet => the alias stays until it can", () => {
    const keyring = { aliases: [row], keys: [keyRow(1), otherRow] };
    expect(changes({ keyAliases: [wants("other")] }, keyring)).toEqual([]);
  });
  test("status moves to a key that is not known here yet => the alias stays until it is", () => {
    expect(changes({ keyAliases: [wants("other")] }, { aliases: [row], keys: [keyRow(1)] })).toEqual([]);
  });
  test("status moves to a key of another kind => the alias stays, and the contradiction is told", () => {
    const mac = keyVersion(1, {
      spec: {
        ...otherKey,
        versionId: versionId(50),
        keySpec: "HMAC_256",
        keyUsage: "GENERATE_VERIFY_MAC",
      },
    });
    const versions = [rows.v1, toVersionRow(mac)];
    const keyring = { aliases: [row], keys: [keyRow(1), { ...otherRow, current }], versions };
    const plan = decide({ keyVersions: [v1, mac], keyAliases: [wants("other")] }, keyring);
    expect(plan.changes).toEqual([]);
    expect(plan.contradictions).toEqual([
      "KeyAlias apps/main moves from secrets to other, which is another kind of key: this node serves secrets on",
    ]);
  });
  describe("it left the key that status names again", () => {
    const formerTargets = [{ keyId: keyId(2), number: 1, versionId: versionId(50) }];
    const left = { ...row, formerTargets };
    const keyring = { aliases: [left], keys: [keyRow(1), { ...otherRow, current }] };

    test("and that has no later version => the alias stays, and the contradiction is told", () => {
      const plan = decide({ keyAliases: [wants("other")] }, keyring);
      expect(plan.changes).toEqual([]);
      expect(plan.contradictions).toEqual([
        "KeyAlias apps/main points back to other, which this node left at version 1: it serves secrets on, as a key_id must not return; other needs a later version first",
      ]);
    });
    test("and that gets a later version in the same pass => the alias moves", () => {
      const next = keyVersion(2, { spec: { ...otherKey, versionId: versionId(51) } });
      const masterKeys = [masterKey({ metadata: { name: "other" }, status: statusWith(next) })];
      expect(changes({ masterKeys, keyVersions: [next], keyAliases: [wants("other")] }, keyring)).toEqual([
        putVersion(51),
        setCurrent(51),
        "putAlias main other",
      ]);
    });
  });
  test("its key's first version and the alias arrive together => both, the alias last", () => {
    const masterKeys = [masterKey({ metadata: { name: "other" }, status: statusWith(other) })];
    const resources = { masterKeys, keyVersions: [other], keyAliases: [wants("other")] };
    expect(changes(resources, { aliases: [row], keys: [otherRow] })).toEqual([
      putVersion(50),
      setCurrent(50),
      "putAlias main other",
    ]);
  });
});

describe("what the node and the API server hold against one another", () => {
  test("the API server has lost a version => it is handed back", () => {
    const plan = decide({ keyVersions: [v1] }, { versions: [rows.v1, rows.v2] });
    expect(plan.handBack).toEqual([rows.v2]);
    expect(plan.changes).toEqual([]);
  });
  test("all are there under other object names => none is handed back", () => {
    const renamed = keyVersion(1, { metadata: { name: "another-name" } });
    expect(decide({ keyVersions: [renamed] }, { versions: [rows.v1] }).handBack).toEqual([]);
  });
  test("two versions of one number, one lost => that one is handed back", () => {
    expect(decide({ keyVersions: [v2] }, { versions: [rows.v2, rows.twin2] }).handBack).toEqual([rows.twin2]);
  });

  const resealed = (changes: Partial<Seal>) => {
    const seal = { provider: "file", rootKeyId: "root-1", sealed: "YmxvYiAx", ...changes };
    return keyVersion(1, { spec: { seal } });
  };
  test.each([
    ["provider", { provider: "hsm" }],
    ["root key", { rootKeyId: "root-2" }],
    ["sealed bytes", { sealed: "b3RoZXI=" }],
  ])("another %s => the seals differ, and nothing is stored before one has opened", (_, seal) => {
    const theirs = resealed(seal);
    const plan = decide({ keyVersions: [theirs] }, { versions: [rows.v1] });
    expect(plan.sealsDiffer).toEqual([
      { mine: rows.v1, theirs: toVersionRow(theirs), object: theirs, oursIsThere: false },
    ]);
    expect(plan.changes).toEqual([]);
    expect(plan.contradictions).toEqual([]);
  });
  test("the same seal => no difference", () => {
    expect(decide({ keyVersions: [resealed({})] }, { versions: [rows.v1] }).sealsDiffer).toEqual([]);
  });

  test.each([
    ["keyId", { keyId: keyId(2) }, [rows.v1]],
    ["number", { number: 7 }, [rows.v1]],
    ["keySpec", { keySpec: "HMAC_256" }, [rows.v1]],
    ["keyUsage", { keyUsage: "GENERATE_VERIFY_MAC" }, [rows.v1]],
    ["MasterKey", { masterKey: { namespace: "apps", name: "other" } }, [rows.v1]],
  ] as const)(
    "another %s under the same versionId => a contradiction, ours stays, and is handed back",
    (_, spec, handBack) => {
      const forged = keyVersion(1, { spec, metadata: { name: "forged" } });
      const plan = decide({ keyVersions: [forged] }, { versions: [rows.v1] });
      expect(plan.contradictions).toEqual([
        `KeyVersion forged does not match what this node holds under versionId ${versionId(1)}`,
      ]);
      expect(plan).toMatchObject({ changes: [], handBack, sealsDiffer: [] });
    },
  );
  test("a contradiction in a number => ours decides what may become current", () => {
    const altered = keyVersion(1, { spec: { number: 9 } });
    const keyring = { keys: [keyRow(2)], versions: [rows.v1, rows.v2] };
    expect(
      changes({ masterKeys: [masterKey({ status: statusWith(altered) })], keyVersions: [altered] }, keyring),
    ).toEqual([]);
  });
});

test("a version's object and row are one another's image", () => {
  expect(toKeyVersionSpec(toVersionRow(v1))).toEqual(v1.spec);
  expect(keyVersionName(rows.v1)).toBe(`${keyId(1)}-1`);
});
