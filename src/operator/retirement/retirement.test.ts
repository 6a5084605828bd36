import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { generateMaterial } from "../../crypto/key-specs.ts";
import { toKeyVersionSpec, toVersionRow } from "../../resources/key-version-rows.ts";
import type {
  KeyAlias,
  KeyServer,
  KeyVersion,
  Kind,
  MasterKey,
  ResourceOf,
} from "../../resources/resources.ts";
import { createRootKey } from "../../seal/root-key-file.ts";
import { sealAad } from "../../seal/seal.ts";
import type { SealSource } from "../../seal/seal-source.ts";
import type { View } from "../../store/view.ts";
import { freshObjects } from "../../testing/fresh-objects.ts";
import {
  deletionPeriod,
  EARLIER,
  keyId,
  keyServer,
  keyVersion,
  masterKey,
  NOW,
  timeKeeper,
  versionId,
  waiting,
} from "../../testing/objects.ts";
import { sealsIn } from "../../testing/seals.ts";
import { OwnRecord } from "../claims/own-record.ts";
import { ViewIndex } from "../claims/view-index.ts";
import type { RetirementFacts } from "./key-uses.ts";
import { Retirement, type RetirementStore } from "./retirement.ts";
import { UsageCensus } from "./usage-census.ts";
import type { Waiting } from "./waiting-period.ts";

/** Runs the leader's destruction, over a store in memory. */
let folder: string;
let seals: SealSource;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "claviger-retirement-"));
  createRootKey(join(folder, "root.key"));
  seals = sealsIn(join(folder, "root.key"));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const deletion = {
  scheduledAt: "2025-12-20T00:00:00Z",
  deletionDate: "2026-01-02T00:00:00Z",
  withoutCensus: true,
};
const due = (n: number, spec: Partial<KeyVersion["spec"]> = {}, name = `${spec.keyId ?? keyId(1)}-${n}`) =>
  keyVersion(n, { spec, metadata: { name }, status: { deletion } });

const SEEN = waiting([deletionPeriod(1), deletionPeriod(2)]);

interface Given {
  readonly keyVersions: readonly KeyVersion[];
  /** Versions whose seal is bound to other data than theirs. */
  readonly copies?: readonly KeyVersion[];
  readonly masterKeys?: readonly MasterKey[];
  readonly keyAliases?: readonly KeyAlias[];
  readonly keyServers?: readonly KeyServer[];
  /** The API server's clock; it throws if the API server does not answer. */
  readonly clock?: () => void;
  /** This node's own record; the whole period of both keys, if left out. */
  readonly waiting?: Waiting;
  /** Called before each destruction. If it throws, the error is the API server's answer. */
  readonly before?: (version: KeyVersion, world: World) => void;
  /** True if this operator leads; true if left out. */
  readonly leading?: boolean;
}
interface World {
  masterKeys: readonly MasterKey[];
}

/** Returns the same version with material sealed in this cluster. */
async function sealed(version: KeyVersion): Promise<KeyVersion> {
  const row = toVersionRow(version);
  using material = await generateMaterial("SYMMETRIC_DEFAULT");
  const { seal } = toKeyVersionSpec({ ...row, sealed: await seals.get().wrap(material, sealAad(row)) });
  return { ...version, spec: { ...version.spec, seal } };
}

/** Makes one pass. Returns the names of the destroyed KeyVersions, in order. */
async function pass(given: Given): Promise<string[]> {
  const { retirement, view, destroyed } = await begin(given);
  await retirement.pass(index(view()), new AbortController().signal, NOW).catch(() => undefined);
  return destroyed;
}

const index = (view: View) => new ViewIndex(view, new OwnRecord([], []));

async function begin(given: Given) {
  const destroyed: string[] = [];
  const keyVersions = [...(given.copies ?? []), ...(await Promise.all(given.keyVersions.map(sealed)))];
  const keyServers = given.keyServers ?? [
    keyServer("one", { providers: [] }, { creationTimestamp: new Date().toISOString() }),
  ];
  const world: World = { masterKeys: given.masterKeys ?? [] };
  const view = (): View => ({
    masterKeys: world.masterKeys,
    keyVersions,
    keyAliases: given.keyAliases ?? [],
    keyServers,
    keyVersionsUpTo: "1",
    heardOf: new Map(keyServers.map(({ metadata }) => [metadata.name, Date.now()])),
  });
  const store: RetirementStore = {
    view,
    leading: given.leading ?? true,
    ...freshObjects(view),
    destroyVersion: async (version: KeyVersion) => {
      given.before?.(version, world);
      destroyed.push(version.metadata.name);
    },
    recordEvent: async () => undefined,
    applyStatus: async <K extends Kind>(_: ResourceOf[K]) => undefined,
  };
  const counted = Promise.withResolvers<void>();
  const usageCensus = new UsageCensus({
    take: async () => undefined,
    onChange: counted.resolve,
    now: () => 0,
  });
  usageCensus.begin(0);
  await counted.promise;
  const retirement = new Retirement({
    store,
    seals,
    log: () => undefined,
    usageCensus,
    time: { ...timeKeeper(given.waiting ?? SEEN), ask: async () => given.clock?.() },
  });
  return { retirement, view, destroyed };
}

const second = { keyId: keyId(2), versionId: versionId(50) };

test("what is due and nobody needs => destroyed", async () => {
  expect(await pass({ keyVersions: [due(1)] })).toEqual([`${keyId(1)}-1`]);
});

test("another operator leads since the process was stopped in the middle of a pass => nothing is destroyed", async () => {
  expect(await pass({ keyVersions: [due(1)], leading: false })).toEqual([]);
});

test("the API server does not say what time it is => nothing is destroyed", async () => {
  const clock = () => {
    throw new Error("GET /version: HTTP 503");
  };
  expect(await pass({ keyVersions: [due(1)], clock })).toEqual([]);
});

test("clocks disagree => nothing is destroyed, whatever the dates say", async () => {
  const time = { kind: "disagree", reason: "ClocksDisagree", message: "by 40 days", doubted: true } as const;
  expect(await pass({ keyVersions: [due(1)], waiting: { ...SEEN, time } })).toEqual([]);
});

test("the dates in the status are past, and this node saw the deletion only now => nothing is destroyed", async () => {
  const period = deletionPeriod(1, { since: NOW.getTime(), until: 0 });
  expect(await pass({ keyVersions: [due(1)], waiting: waiting([period]) })).toEqual([]);
});

test("the MasterKey is gone, and this node never saw it ask for the deletion => nothing is destroyed", async () => {
  const period = deletionPeriod(1, { asked: false });
  expect(await pass({ keyVersions: [due(1)], waiting: waiting([period]) })).toEqual([]);
});

test("one that cannot be written => that of other keys is destroyed all the same", async () => {
  const keyVersions = [due(1), due(1, second)];
  const before = ({ spec }: KeyVersion) => {
    if (spec.keyId === keyId(1)) throw new Error("refused by a webhook");
  };
  expect(await pass({ keyVersions, before })).toEqual([`${keyId(2)}-1`]);
});

test("several versions => the current one last, so that what is cut off can be gone back on", async () => {
  const keyVersions = [due(1), due(10), due(2)];
  expect(await pass({ keyVersions })).toEqual([1, 2, 10].map((n) => `${keyId(1)}-${n}`));
});

test("the deletion is cancelled between two versions => the second stays", async () => {
  const asked = masterKey({
    spec: { deletion: { pendingWindowInDays: 7, withoutCensus: true } },
    status: { keyId: keyId(1), deletion },
  });
  const before = (_: KeyVersion, world: World) => {
    world.masterKeys = [masterKey({ status: { keyId: keyId(1), deletion } })];
  };
  const keyVersions = [due(1), due(2)];
  expect(await pass({ keyVersions, masterKeys: [asked], before })).toEqual([`${keyId(1)}-1`]);
});

test("a forged version of the key that names another MasterKey => the one that there is, is asked", async () => {
  const keyVersions = [
    due(9, { masterKey: { namespace: "nobody", name: "nothing" }, versionId: versionId(99) }, "0-forged"),
    due(1),
  ];
  const masterKeys = [masterKey({ status: { keyId: keyId(1) } })];
  expect(await pass({ keyVersions, masterKeys })).toEqual([]);
});

test("a copy of a version that is needed, under a keyId that nobody needs => no tombstone, which would take the version along", async () => {
  const needed = await sealed(keyVersion(3));
  const copy = due(3, { ...needed.spec, keyId: keyId(2) }, "copy");
  expect(await pass({ keyVersions: [], copies: [copy] })).toEqual([]);
  const renumbered = due(9, { ...needed.spec, number: 9 }, "renumbered");
  expect(await pass({ keyVersions: [], copies: [renumbered] })).toEqual([]);
  expect(await pass({ keyVersions: [due(1)], copies: [copy] })).toEqual([`${keyId(1)}-1`]);
});

test("the same where a provider names the key, by its own name or by an alias => used", async () => {
  const keyVersions = [
    due(9, { masterKey: { namespace: "nobody", name: "nothing" }, versionId: versionId(99) }, "0-forged"),
    due(1),
  ];
  const provider = { name: "p", socket: "/p", serves: "apps/secrets" };
  const keyServers = [keyServer("one", { providers: [provider] }, { creationTimestamp: EARLIER })];
  expect(await pass({ keyVersions, keyServers })).toEqual([]);
});

test("facts are read past the cache, and are none about a MasterKey whose spec was changed meanwhile", async () => {
  const asked = masterKey({ status: { keyId: keyId(1) } });
  const { retirement, view } = await begin({ keyVersions: [], masterKeys: [asked] });
  const { signal } = new AbortController();
  const late = index({ ...view(), keyServers: [] });
  const known = ({ keyServers }: RetirementFacts) => keyServers.map(({ metadata }) => metadata.name);
  expect(known(retirement.factsFor(asked, late))).toEqual([]);
  expect(known(await retirement.freshFactsFor(asked, late, signal))).toEqual(["one"]);
  const former = { ...asked, metadata: { ...asked.metadata, generation: 0 } };
  await expect(retirement.freshFactsFor(former, late, signal)).rejects.toMatchObject({ code: "Conflict" });
});
