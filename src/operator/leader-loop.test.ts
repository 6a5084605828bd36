import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { NodeConfig } from "../config/config.ts";
import { DEFAULT_LIMITS } from "../config/limits.ts";
import { ClavigerError } from "../errors.ts";
import type { KeyRow } from "../keyring/rows.ts";
import type { KeyringWriter } from "../keyring/writer.ts";
import { KubeError } from "../kube/kube-error.ts";
import { conditionOf } from "../resources/conditions.ts";
import { toVersionRow } from "../resources/key-version-rows.ts";
import type { KeyAlias, KeyServer, KeyVersion, Kind, MasterKey, ResourceOf } from "../resources/resources.ts";
import type { Condition } from "../resources/schemas/fields.ts";
import type { KeyServerStatus } from "../resources/schemas/key-server.ts";
import type { MasterKeyStatus } from "../resources/schemas/master-key.ts";
import { createRootKey } from "../seal/root-key-file.ts";
import type { NodeLease } from "../store/nodes/node-leases.ts";
import type { View } from "../store/view.ts";
import { freshObjects } from "../testing/fresh-objects.ts";
import {
  keyAlias,
  keyId,
  keyRow,
  keyServer,
  keyVersion,
  masterKey,
  NOW,
  NOW_TEXT,
  statusWith,
  timeKeeper,
} from "../testing/objects.ts";
import { sealsIn } from "../testing/seals.ts";
import { LeaderLoop, type LeaderStore } from "./leader-loop.ts";
import { Reencryptor } from "./reencryption/reencryptor.ts";
import { UsageCensus } from "./retirement/usage-census.ts";
import type { Doubt } from "./time/time-keeper.ts";
import { KEY_SERVERS, masterKeyWork, RETIREMENT, workKey } from "./work-item.ts";

/** Runs the leader over a store in memory. */
let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "claviger-leader-"));
  createRootKey(join(folder, "root.key"));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const UNUSED = async () => {
  throw new Error("nothing is stored here");
};

/** A leader of a cluster with one MasterKey; `refusal` is the API server's answer to a new KeyVersion. */
class Cluster {
  key: MasterKey;
  readonly keyVersions: readonly KeyVersion[];
  readonly refusal: Error;
  /** MasterKeys beside `key`. */
  others: readonly MasterKey[] = [];
  /** The MasterKeys in the leader's keyring. */
  rows: readonly KeyRow[] = [];
  rootKey = "root.key";
  providers: NonNullable<KeyServerStatus["providers"]> = [];
  /** When an existing node last renewed its Lease, in epoch milliseconds. */
  otherNodeHeardOf = Date.now();
  readonly conditions: [string, Condition][] = [];
  /**
   * The Leases of nodes in addition to those with a KeyServer, and the Leases that the leader has deleted.
   */
  leases: readonly NodeLease[] = [];
  nodeUid = async (): Promise<string | undefined> => undefined;
  readonly deleted: string[] = [];
  /** Nodes that joined since the leader last received KeyServers. */
  joined: readonly KeyServer[] = [];
  aliases: readonly KeyAlias[] = [];
  /** Resolves when the leader asks for another look at a MasterKey. */
  readonly askedAgain = Promise.withResolvers<void>();
  limits = DEFAULT_LIMITS;
  /** Set while the leader's clock may be wrong. */
  doubt: Doubt | undefined;
  counts = 0;
  statuses = 0;
  /** True if the operator still leads when it writes. */
  leads = true;
  readonly events: string[] = [];

  constructor(key: MasterKey, keyVersions: readonly KeyVersion[], refusal: Error) {
    this.key = key;
    this.keyVersions = keyVersions;
    this.refusal = refusal;
  }

  /**
   * Makes a pass over the MasterKey, by a leader that has just begun unless another is given. Rejects as the
   * pass does.
   */
  async reconcile(leader = this.leader()): Promise<void> {
    await leader.reconcile(SECRETS, new AbortController().signal);
  }

  leader(): LeaderLoop {
    const usageCensus = new UsageCensus({ take: UNUSED, onChange: () => undefined, now: () => 0 });
    return new LeaderLoop({
      config: {
        resources: { kind: "kubeconfig" },
        etcd: {},
        region: "r",
        account: "a",
        limits: this.limits,
      } as unknown as NodeConfig,
      store: this.#store(),
      keyring: {
        keys: () => this.rows,
        aliases: () => [],
        versions: () => this.keyVersions.map(toVersionRow),
        tombstones: () => [],
      } as unknown as KeyringWriter,
      seals: sealsIn(join(folder, this.rootKey)),
      log: () => undefined,
      clock: {
        now: () => NOW,
        wall: () => NOW.getTime(),
        uptime: () => 0,
        ahead: () => 0,
        longestPause: 1_000,
      },
      time: { ...timeKeeper(), doubt: this.doubt },
      reencryptor: new Reencryptor({
        objects: {
          rewrite: UNUSED,
          count: async () => {
            this.counts += 1;
            return { remaining: 0, strays: [], revision: 1 };
          },
        },
        mayGoOn: () => true,
        onChange: () => undefined,
        now: () => 0,
      }),
      usageCensus,
      lookAgain: () => this.askedAgain.resolve(),
    });
  }

  #store(): LeaderStore {
    const view = (): View => ({
      masterKeys: [this.key, ...this.others],
      keyVersions: this.keyVersions,
      keyAliases: this.aliases,
      keyServers: [
        keyServer("one", { providers: this.providers }),
        keyServer("two", { providers: this.providers }),
      ],
      keyVersionsUpTo: "1",
      heardOf: new Map([
        ["one", Date.now()],
        ["two", this.otherNodeHeardOf],
        ...this.leases.map(({ node }) => [node, Date.now() - 60_000] as const),
      ]),
      nodeLeases: new Map(this.leases.map((lease) => [lease.node, lease])),
    });
    return {
      view,
      leading: this.leads,
      ...freshObjects(() => ({ ...view(), keyServers: [...view().keyServers, ...this.joined] })),
      isThere: UNUSED,
      createKeyVersion: async () => {
        throw this.refusal;
      },
      applyStatus: async <K extends Kind>(object: ResourceOf[K], status: ResourceOf[K]["status"]) => {
        if (object.kind !== "MasterKey") return;
        this.statuses += 1;
        this.key = { ...this.key, status: status as MasterKeyStatus };
      },
      setCondition: async ({ metadata }: KeyServer, condition: Condition) => {
        this.conditions.push([metadata.name, condition]);
      },
      nodeUid: () => this.nodeUid(),
      deleteKeyServer: async ({ metadata }: KeyServer) => {
        this.deleted.push(`KeyServer ${metadata.name}`);
      },
      deleteNodeLease: async ({ node }: NodeLease) => {
        this.deleted.push(`Lease of ${node}`);
      },
      setFinalizers: async () => {
        throw forbidden;
      },
      setBinding: UNUSED,
      destroyVersion: UNUSED,
      recordEvent: async (_: unknown, event: { readonly reason: string }) => {
        this.events.push(event.reason);
      },
    };
  }

  said(type: string) {
    return conditionOf(this.key.status?.conditions, type);
  }
}

const v1 = keyVersion(1);
const SECRETS = masterKeyWork({ namespace: "apps", name: "secrets" });
const running = {
  trigger: "OnDemand",
  number: 2,
  startedAt: "2026-01-02T00:00:00Z",
  phase: "Distributing",
} as const;
const rotating = () => masterKey({ status: { ...statusWith(v1), rotation: { running } } });
const forbidden = new KubeError(403, "POST /apis/kms.claviger.dev/v1alpha1/keyversions: forbidden");

test("a node is not heard of any more => its KeyServer says so, and no other's", async () => {
  const cluster = new Cluster(masterKey(), [], forbidden);
  const tend = () => cluster.leader().reconcile(KEY_SERVERS, new AbortController().signal);
  await tend();
  expect(cluster.conditions).toEqual([]);
  cluster.otherNodeHeardOf -= 60_000;
  await tend();
  expect(cluster.conditions).toMatchObject([["two", { type: "Ready", status: "Unknown" }]]);
});

describe("a Lease whose node has no KeyServer", () => {
  const leaseOf = (node: string, nodeUid: string): NodeLease => ({
    node,
    nodeUid,
    lease: { metadata: { name: `claviger-node-${node}`, uid: "1", resourceVersion: "1" } },
  });
  const tend = (cluster: Cluster) => cluster.leader().reconcile(KEY_SERVERS, new AbortController().signal);

  test("keeps a version from being promoted, by the node's name", async () => {
    const cluster = new Cluster(masterKey({ status: statusWith(v1) }), [v1, keyVersion(2)], forbidden);
    cluster.leases = [leaseOf("three", "")];
    await cluster.reconcile().catch(() => undefined);
    expect(cluster.said("Distributed")?.message).toMatch(
      /on 0 of 3 nodes; .*delete KeyServer three and Lease/,
    );
  });
  test("goes when the Node that it tells of is gone, and stays while there is one or never was", async () => {
    const cluster = new Cluster(masterKey(), [], forbidden);
    cluster.leases = [leaseOf("three", "uid-1"), leaseOf("four", "")];
    cluster.nodeUid = async () => "uid-1";
    await tend(cluster);
    expect(cluster.deleted).toEqual([]);
    cluster.nodeUid = async () => undefined;
    await tend(cluster);
    expect(cluster.deleted).toEqual(["Lease of three"]);
  });
});

test("the API server refuses the next version => the MasterKey says so, once, and it is tried again", async () => {
  const cluster = new Cluster(rotating(), [v1], forbidden);
  await expect(cluster.reconcile()).rejects.toBe(forbidden);
  expect(cluster.said("Distributed")).toMatchObject({
    status: "False",
    reason: "VersionNotMade",
    message: `version 2 could not be made and is tried again: ${forbidden.message}`,
  });
  expect(cluster.said("Ready")).toMatchObject({ status: "True" });
  expect(cluster.key.status?.rotation?.running).toEqual(running);
  const { statuses } = cluster;
  await expect(cluster.reconcile()).rejects.toBe(forbidden);
  expect(cluster.statuses).toBe(statuses);
  expect(cluster.events.filter((reason) => reason === "VersionNotMade")).toHaveLength(1);
});

test("another operator leads since this one was stopped in the middle of a pass => it writes no status, and says why", async () => {
  const cluster = new Cluster(masterKey({}), [], forbidden);
  cluster.leads = false;
  await expect(cluster.reconcile()).rejects.toThrow(
    "the status of MasterKey apps/secrets was not written: this operator no longer leads",
  );
  expect(cluster.statuses).toBe(0);
});

test("it refuses the first version => the key is not Ready for this reason", async () => {
  const cluster = new Cluster(masterKey({ status: { keyId: keyId(1) } }), [], forbidden);
  await expect(cluster.reconcile()).rejects.toBe(forbidden);
  expect(cluster.said("Ready")).toMatchObject({ status: "False", reason: "VersionNotMade" });
});

test("somebody wrote that a key is Destroyed, and nothing of it was => it gets its version, and does not say so", async () => {
  const forged = masterKey({ status: { keyId: keyId(1), keyState: "Destroyed" } });
  const cluster = new Cluster(forged, [], forbidden);
  await expect(cluster.reconcile()).rejects.toBe(forbidden);
  expect(cluster.said("Ready")).toMatchObject({ status: "False", reason: "VersionNotMade" });
  expect(cluster.key.status?.keyState).not.toBe("Destroyed");
});

test("the leader has no root key => the MasterKey says so", async () => {
  const cluster = new Cluster(rotating(), [v1], forbidden);
  cluster.rootKey = "none.key";
  await expect(cluster.reconcile()).rejects.toMatchObject({ code: "SealUnavailable" });
  expect(cluster.said("Distributed")).toMatchObject({ message: expect.stringContaining("none.key") });
});

test("the leader has no root key to make an import token with => the key says so, and that it is pending", async () => {
  const external = masterKey({ spec: { origin: "EXTERNAL" }, status: { keyId: keyId(1) } });
  const cluster = new Cluster(external, [], forbidden);
  cluster.rootKey = "none.key";
  await expect(cluster.reconcile()).rejects.toMatchObject({ code: "SealUnavailable" });
  expect(cluster.said("Imported")).toMatchObject({
    status: "False",
    reason: "ImportFailed",
    message: expect.stringMatching(/^importing is tried again: .*none.key/),
  });
  expect(cluster.key.status?.keyState).toBe("PendingImport");
  const { statuses } = cluster;
  await expect(cluster.reconcile()).rejects.toMatchObject({ code: "SealUnavailable" });
  expect(cluster.statuses).toBe(statuses);
  cluster.rootKey = "root.key";
  const leader = cluster.leader();
  await cluster.reconcile(leader);
  await cluster.askedAgain.promise;
  await cluster.reconcile(leader);
  leader.close();
  expect(cluster.said("Imported")).toMatchObject({ status: "False", reason: "PendingImport" });
  expect(cluster.key.status?.import).toHaveProperty("publicKey");
});

/** Returns a cluster in which all API servers have settled, and stored data are to be counted. */
function verifying(): Cluster {
  const { currentVersion } = statusWith(v1);
  const kmsKeyId = currentVersion?.kmsKeyId ?? "";
  const reencryption = {
    kmsKeyId,
    phase: "Verifying",
    verified: false,
    resources: ["secrets"],
    startedAt: "2026-01-02T00:00:00Z",
    round: 1,
  } as const;
  const key = masterKey({ status: { ...statusWith(v1), reencryption } });
  const cluster = new Cluster(key, [v1], forbidden);
  const proven = { kmsKeyId, encrypts: 1, entries: 1, settled: true, episode: "e", resources: ["secrets"] };
  cluster.providers = [{ name: "p", socket: "/p", serves: "apps/secrets", ...proven }];
  return cluster;
}

test("others have led since something was counted => it is counted again", async () => {
  const cluster = verifying();
  const leader = cluster.leader();
  await cluster.reconcile(leader).catch(() => undefined);
  await new Promise(setImmediate);
  leader.begin();
  await cluster.reconcile(leader).catch(() => undefined);
  expect(cluster.key.status?.reencryption?.phase).toBe("Verifying");
  await new Promise(setImmediate);
  expect(cluster.counts).toBe(2);
  await cluster.reconcile(leader).catch(() => undefined);
  expect(cluster.key.status?.reencryption).toMatchObject({ phase: "Complete", verified: true });
});

test("a KeyServer that the leader has not heard of yet says otherwise => not complete, and the proof is of what was read last", async () => {
  const cluster = verifying();
  const leader = cluster.leader();
  await cluster.reconcile(leader).catch(() => undefined);
  await new Promise(setImmediate);
  const [provider] = cluster.providers;
  const other = { ...provider, episode: "another" } as NonNullable<typeof provider>;
  const creationTimestamp = new Date().toISOString();
  cluster.joined = [keyServer("three", { providers: [other] }, { creationTimestamp })];
  await cluster.reconcile(leader).catch(() => undefined);
  expect(cluster.key.status?.reencryption).toMatchObject({ phase: "Verifying", verified: false });
  await new Promise(setImmediate);
  expect(cluster.counts).toBe(2);
  cluster.joined = [];
  for (let pass = 0; pass < 3; pass += 1) {
    await cluster.reconcile(leader).catch(() => undefined);
    await new Promise(setImmediate);
  }
  expect(cluster.key.status?.reencryption).toMatchObject({
    phase: "Complete",
    proof: ["one", "two"].map((node) => ({ node, provider: "p", episode: "e", encrypts: 1 })),
  });
});

test("a MasterKey is to be deleted and held => it says no more of stored data, which nobody looks at", async () => {
  const cluster = verifying();
  const leader = cluster.leader();
  for (let pass = 0; pass < 3; pass += 1) {
    await cluster.reconcile(leader).catch(() => undefined);
    await new Promise(setImmediate);
  }
  expect(cluster.said("Reencrypted")).toMatchObject({ status: "True", reason: "Verified" });
  const metadata = {
    ...cluster.key.metadata,
    deletionTimestamp: NOW_TEXT,
    finalizers: ["kms.claviger.dev/in-use"],
  };
  cluster.key = { ...cluster.key, metadata };
  await cluster.reconcile(leader).catch(() => undefined);
  expect(cluster.said("Reencrypted")).toMatchObject({ status: "Unknown", reason: "BeingDeleted" });
  expect(cluster.key.status?.reencryption).toBeUndefined();
});

test("the finalizer may not be set => stored data is counted all the same", async () => {
  const cluster = verifying();
  await cluster.reconcile().catch(() => undefined);
  // A leader that has just begun, on a status that already has these values.
  cluster.counts = 0;
  await expect(cluster.reconcile()).rejects.toBe(forbidden);
  expect(cluster.counts).toBe(1);
});

describe("a provider that serves the key through an alias", () => {
  const kmsKeyId = statusWith(v1).currentVersion?.kmsKeyId ?? "";
  const proven = { kmsKeyId, encrypts: 1, entries: 1, settled: true, episode: "e", resources: ["secrets"] };
  const provider = { name: "p", socket: "/p", serves: "alias apps/main", ...proven };
  const foreign = { ...provider, kmsKeyId: "of another key" };
  const elsewhere = keyAlias({ status: { masterKey: "other" } });

  test.each<readonly [string, readonly KeyAlias[], typeof provider, boolean]>([
    [
      "it points there => what it stores is followed",
      [keyAlias({ status: { masterKey: "secrets" } })],
      provider,
      true,
    ],
    ["the KeyAlias was deleted and the node serves it on => the same", [], provider, true],
    ["it was made again a moment ago => the same", [keyAlias({})], provider, true],
    ["it has left, and the node follows yet => no more", [elsewhere], provider, false],
    ["the node serves another key under it => not", [], foreign, false],
  ])("%s", async (_, aliases, served, followed) => {
    const cluster = new Cluster(masterKey({ status: statusWith(v1) }), [v1], forbidden);
    Object.assign(cluster, { aliases, providers: [served] });
    await cluster.reconcile().catch(() => undefined);
    expect(cluster.key.status?.reencryption !== undefined).toBe(followed);
  });
});

test("all is settled as far as the leader has heard, and another node has joined => the rotation is not done", async () => {
  const v2 = keyVersion(2);
  const { currentVersion } = statusWith(v2);
  const kmsKeyId = currentVersion?.kmsKeyId ?? "";
  const provider = {
    name: "p",
    socket: "/p",
    serves: "apps/secrets",
    kmsKeyId,
    encrypts: 1,
    settled: true,
    episode: "e",
  };
  const rotated = { ...statusWith(v2), rotation: { running: { ...running, phase: "Switching" as const } } };
  const key = masterKey({ spec: { reencryption: { engine: "None" } }, status: rotated });
  const cluster = new Cluster(key, [v1, v2], forbidden);
  cluster.providers = [provider];
  cluster.joined = [keyServer("two", { providers: [{ ...provider, settled: false }] })];
  await cluster.reconcile().catch(() => undefined);
  expect(cluster.key.status?.rotation).toMatchObject({ running: { number: 2 } });
  cluster.joined = [];
  await cluster.reconcile().catch(() => undefined);
  expect(cluster.key.status?.rotation).toMatchObject({ last: { number: 2, verified: false } });
});

test.each([
  ["somebody was faster", new ClavigerError("Conflict", "it exists")],
  ["nobody answers", new ClavigerError("ApiServer", "no answer in 30 s")],
])("%s => nothing is said, as it passes by itself", async (_, error) => {
  const cluster = new Cluster(rotating(), [v1], error);
  await expect(cluster.reconcile()).rejects.toBe(error);
  expect(cluster.statuses).toBe(0);
});

test("a MasterKey of imported material that has another one's keyId => gets no public key, no version, and says why", async () => {
  const other = keyVersion(7, {
    spec: { masterKey: { namespace: "tenant", name: "other" }, keyId: keyId(2) },
  });
  const thief = masterKey({ spec: { origin: "EXTERNAL" }, status: { keyId: keyId(2) } });
  const cluster = new Cluster(thief, [other], forbidden);
  await cluster.reconcile();
  expect(cluster.said("Ready")).toMatchObject({ status: "False", reason: "KeyIdForeign" });
  expect(cluster.said("InUse")).toMatchObject({ status: "False" });
  expect(cluster.key.status?.import).toBeUndefined();
});

describe("a MasterKey that has the keyId of another one, which has no version yet", () => {
  const made = new Error("a version was created");
  const tenant = { namespace: "tenant", name: "other" };
  const claimed = { status: { keyId: keyId(1) } } as const;
  test.each([
    [
      "and the leader has recorded the other one => gets no version, and says why",
      [keyRow(undefined, tenant)],
    ],
    ["and the leader has recorded neither => gets no version, and says why", []],
    [
      "and the leader has recorded both => gets no version, and says why",
      [keyRow(), keyRow(undefined, tenant)],
    ],
  ])("%s", async (_, rows) => {
    const cluster = new Cluster(masterKey(claimed), [], made);
    cluster.others = [masterKey({ metadata: tenant, ...claimed })];
    cluster.rows = rows;
    await cluster.reconcile().catch((error) => expect(error).not.toBe(made));
    expect(cluster.said("Ready")).toMatchObject({
      reason: "KeyIdForeign",
      message: expect.stringContaining("MasterKey tenant/other's too"),
    });
  });
  test("and the leader has recorded this one => gets its version", async () => {
    const cluster = new Cluster(masterKey(claimed), [], made);
    cluster.others = [masterKey({ metadata: tenant, ...claimed })];
    cluster.rows = [keyRow()];
    await expect(cluster.reconcile()).rejects.toBe(made);
  });
});

test("the leader's clock may be wrong => material expires by the time that has continued since it was right, as on the nodes", async () => {
  const validTo = NOW_TEXT;
  const material = keyVersion(1, { spec: { origin: "EXTERNAL", validTo } });
  const external = masterKey({ spec: { origin: "EXTERNAL" }, status: statusWith(material) });
  const said = async (at: Date) => {
    const cluster = new Cluster(external, [material], forbidden);
    cluster.doubt = { at, obstacle: { reason: "ClocksDisagree", message: "by 40 days" } };
    await cluster.reconcile();
    return [cluster.said("Ready")?.reason, cluster.key.status?.keyState];
  };
  expect(await said(NOW)).toEqual(["MaterialExpired", "PendingImport"]);
  expect(await said(new Date(NOW.getTime() - 60_000))).toEqual([
    expect.not.stringMatching("Expired"),
    "Enabled",
  ]);
});

test("a KeyServer says only when Status was last asked for => no key is looked at; a socket that switched => its key", async () => {
  const cluster = new Cluster(masterKey({ status: statusWith(v1) }), [v1], forbidden);
  cluster.providers = [{ name: "p", socket: "/p", serves: "apps/secrets", encrypts: 1 }];
  const leader = cluster.leader();
  const server = keyServer("one");
  // The former state is not known, so everything is looked at.
  expect(leader.workFor(server)).toContainEqual(SECRETS);
  cluster.providers = cluster.providers.map((one) => ({ ...one, lastStatusTime: NOW_TEXT }));
  expect(leader.workFor(server)).toEqual([KEY_SERVERS]);
  cluster.providers = cluster.providers.map((one) => ({ ...one, encrypts: 2 }));
  expect(leader.workFor(server)).toEqual([KEY_SERVERS, SECRETS]);
});

test("all KeyServers are listed again and several have changed => each one's keys are looked at", () => {
  const cluster = new Cluster(masterKey({ status: statusWith(v1) }), [v1], forbidden);
  cluster.providers = [{ name: "p", socket: "/p", serves: "apps/secrets", encrypts: 1 }];
  const leader = cluster.leader();
  const servers = [keyServer("one"), keyServer("two")];
  for (const server of servers) leader.workFor(server);
  cluster.providers = cluster.providers.map((one) => ({ ...one, encrypts: 2 }));
  for (const server of servers) expect(leader.workFor(server)).toEqual([KEY_SERVERS, SECRETS]);
  for (const server of servers) expect(leader.workFor(server)).toEqual([KEY_SERVERS]);
});

test("a KeyAlias moves => the keys that it leaves and joins are looked at, and no other of its namespace", async () => {
  const cluster = new Cluster(masterKey({ status: statusWith(v1) }), [v1], forbidden);
  cluster.aliases = [keyAlias({ spec: { masterKey: "secrets" }, status: { masterKey: "secrets" } })];
  const leader = cluster.leader();
  await cluster.reconcile(leader).catch(() => undefined);
  const moved = keyAlias({ spec: { masterKey: "next" }, status: { masterKey: "secrets" } });
  const work = ["KeyAlias apps/main", "MasterKey apps/next", "MasterKey apps/secrets"];
  expect(leader.workFor(moved).map(workKey).toSorted()).toEqual(work);
  // An object that was created again does not show the key to which it pointed before.
  const made = keyAlias({ spec: { masterKey: "next" } });
  expect(leader.workFor(made).map(workKey).toSorted()).toEqual(work);
});

test("a deletion is asked for => the count that it needs is begun at once; no other change counts", () => {
  const status = statusWith(v1);
  const cluster = new Cluster(masterKey({ status }), [v1], forbidden);
  const leader = cluster.leader();
  const deletion = { pendingWindowInDays: 7 };
  expect(leader.workFor(masterKey({ status, spec: { deletion } }))).toEqual([SECRETS, RETIREMENT]);
  expect(leader.workFor(masterKey({ status, spec: { enabled: false } }))).toEqual([SECRETS]);
  const accepted = { scheduledAt: NOW_TEXT, deletionDate: "2026-09-01T00:00:00Z" };
  const pending = masterKey({ status: { ...status, deletion: accepted }, spec: { deletion } });
  expect(leader.workFor(pending)).toEqual([SECRETS]);
});

test("a key that is in use is not behind new ones, a new key is", async () => {
  const used = new Cluster(masterKey({ status: statusWith(v1) }), [v1], forbidden);
  const [leader, beginner] = [used.leader(), new Cluster(masterKey(), [], forbidden)];
  await used.reconcile(leader).catch(() => undefined);
  const other = beginner.leader();
  await beginner.reconcile(other).catch(() => undefined);
  const unknown = masterKeyWork({ namespace: "apps", name: "unknown" });
  expect([leader.isPrompt(SECRETS), other.isPrompt(SECRETS), leader.isPrompt(unknown)]).toEqual([
    true,
    false,
    false,
  ]);
});
