import { rmSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { KeyringWriter } from "../../keyring/writer.ts";
import { conditionOf } from "../../resources/conditions.ts";
import type { KeyGrant } from "../../resources/resources.ts";
import type { KeyGrantStatus } from "../../resources/schemas/key-grant.ts";
import { createRootKey } from "../../seal/root-key-file.ts";
import type { ResourceEvent } from "../../store/events.ts";
import type { GrantGuard, Grantor } from "../../store/roles.ts";
import type { View } from "../../store/view.ts";
import { ACCOUNT, keyGrant } from "../../testing/grants.ts";
import { deadline, promoted, temporaryFolder, version } from "../../testing/keyring.ts";
import { masterKey, NOW, NOW_TEXT } from "../../testing/objects.ts";
import { sealsIn } from "../../testing/seals.ts";
import type { GrantStore } from "./grant-reconciler.ts";
import { GrantsLoop } from "./grants-loop.ts";

let folder: ReturnType<typeof temporaryFolder>;
let keyring: KeyringWriter;
let end: AbortController;
beforeEach(() => {
  folder = temporaryFolder();
  for (const name of ["root.key", "other.key"]) createRootKey(join(folder.path, name));
  keyring = KeyringWriter.open(join(folder.path, "state"));
  keyring.apply(promoted(version(1)));
  end = new AbortController();
});
afterEach(() => {
  end.abort();
  keyring.close();
  folder.remove();
});

/** KeyGrants in memory, and the answers of an API server. */
class Store {
  readonly grants = new Map<string, KeyGrant>();
  readonly asked: (Grantor & { readonly masterKey: string })[] = [];
  readonly events: ResourceEvent[] = [];
  leading = true;
  may = true;
  guard: GrantGuard = { kind: "in-force", since: 0 };
  onChange: (grant: KeyGrant) => void = () => {};

  put(grant: KeyGrant): void {
    this.grants.set(`${grant.metadata.namespace}/${grant.metadata.name}`, grant);
    this.onChange(grant);
  }
  remove(grant: KeyGrant): void {
    this.grants.delete(`${grant.metadata.namespace}/${grant.metadata.name}`);
    this.onChange(grant);
  }
  roles(): GrantStore {
    const store = this;
    return {
      get leading() {
        return store.leading;
      },
      view: () => ({ masterKeys: [masterKey()] }) as unknown as View,
      keyGrants: () => [...this.grants.values()],
      keyGrant: ({ namespace, name }) => this.grants.get(`${namespace}/${name}`),
      mayGrant: async (grantor, { namespace, name }) => {
        this.asked.push({ ...grantor, masterKey: `${namespace}/${name}` });
        return this.may;
      },
      grantGuard: async () => this.guard,
      deleteKeyGrant: async (grant) => this.remove(grant),
      applyStatus: async (object, status) =>
        this.put({ ...(object as KeyGrant), status: status as KeyGrantStatus }),
      recordEvent: async (_, event) => void this.events.push(event),
    };
  }
}

/** Runs a node's loop over the store; `rootKey` is the file of the node's root key. */
function follow(store: Store, rootKey = "root.key"): void {
  const clock = { now: () => NOW };
  const seals = sealsIn(join(folder.path, rootKey));
  const config = { account: ACCOUNT, nodeName: "node-1", stateDir: folder.path };
  const loop = new GrantsLoop({ ...{ store: store.roles(), keyring, seals, clock, config }, log: () => {} });
  store.onChange = (grant) => loop.changed(grant);
  loop.begin();
  void loop.run(end.signal);
}
/** Young enough that a token of it could be on its way. */
const YOUNG = { creationTimestamp: NOW_TEXT };
const eventually = (assertion: () => void) => vi.waitFor(assertion, deadline);
const rows = () => keyring.grants.named({ namespace: "apps", name: "grant" });
const reason = (store: Store) =>
  conditionOf(store.grants.get("apps/grant")?.status?.conditions, "Ready")?.reason;

describe("a KeyGrant", () => {
  test.each([
    ["is another MasterKey's, as somebody wrote it into the status", { namespace: "bank", name: "salary" }],
    ["has no version yet, so that nobody knows whose it is", undefined],
  ])("of a MasterKey whose keyId %s => is not accepted", async (_, owner) => {
    keyring.run("DELETE FROM keys");
    keyring.run("DELETE FROM versions");
    const { keyId } = version(1);
    keyring.apply([
      ...(owner === undefined ? [] : promoted({ ...version(1), masterKey: owner })),
      { kind: "putKey", key: { namespace: "apps", name: "secrets", keyId, enabled: true } },
    ]);
    const store = new Store();
    follow(store);
    store.put(keyGrant());
    await eventually(() => expect(reason(store)).toBe("MasterKeyNotReady"));
    expect(rows()).toEqual([]);
  });

  test("is asked about once, accepted and recorded; a restart asks nothing and writes nothing", async () => {
    const store = new Store();
    follow(store);
    store.put(keyGrant());
    await eventually(() => expect(rows()).toMatchObject([{ operations: ["Decrypt", "Encrypt"] }]));
    expect(store.asked).toEqual([{ user: "alice", groups: ["staff"], masterKey: "apps/secrets" }]);
    const before = store.grants.get("apps/grant");
    store.may = false;
    end.abort();
    end = new AbortController();
    follow(store);
    store.put(keyGrant({ metadata: { name: "later" }, spec: { grantedBy: { user: "bob", groups: [] } } }));
    await eventually(() => expect(store.grants.get("apps/later")?.status?.conditions).toBeDefined());
    expect(store.grants.get("apps/grant")).toBe(before);
    expect(store.asked.filter(({ user }) => user === "alice")).toHaveLength(1);
  });

  test("that RBAC does not allow is asked about once: its own status asks nothing", async () => {
    const store = new Store();
    store.may = false;
    follow(store);
    store.put(keyGrant());
    await eventually(() => expect(reason(store)).toBe("GrantDenied"));
    store.put(keyGrant({ metadata: { name: "later" }, spec: { grantedBy: { user: "bob", groups: [] } } }));
    await eventually(() => expect(store.grants.get("apps/later")?.status?.conditions).toBeDefined());
    expect(store.asked.map(({ user }) => user)).toEqual(["alice", "bob"]);
    expect(store.events.map(({ reason }) => reason)).toEqual(["GrantDenied", "GrantDenied"]);
  });

  test("that is deleted while no operator runs is revoked at the next start", async () => {
    const store = new Store();
    follow(store);
    store.put(keyGrant());
    await eventually(() => expect(rows()).toHaveLength(1));
    end.abort();
    end = new AbortController();
    store.grants.clear();
    follow(store);
    await eventually(() => expect(rows()).toMatchObject([{ ended: { phase: "Revoked" } }]));
  });

  test("is not recorded by a node that does not lead, until the leader's proof is there", async () => {
    const store = new Store();
    store.leading = false;
    follow(store);
    store.put(keyGrant());
    store.put(keyGrant({ metadata: { name: "ended", ...YOUNG }, spec: { ended: "Revoked" } }));
    await eventually(() =>
      expect(keyring.grants.named({ namespace: "apps", name: "ended" })).toHaveLength(1),
    );
    expect(rows()).toEqual([]);
    expect(reason(store)).toBeUndefined();
  });

  test("with a proof of another root key is not recorded, and is decided again", async () => {
    const foreign = new Store();
    follow(foreign, "other.key");
    foreign.put(keyGrant());
    await eventually(() => expect(rows()).toHaveLength(1));
    end.abort();
    end = new AbortController();
    keyring.run("DELETE FROM grants");
    const store = new Store();
    store.may = false;
    store.put(foreign.grants.get("apps/grant") ?? keyGrant());
    follow(store);
    await eventually(() => expect(reason(store)).toBe("GrantDenied"));
    expect(rows()).toEqual([]);
  });

  test.each([
    ["widened", { operations: ["Decrypt", "Encrypt", "CreateGrant"] }],
    ["given to another principal", { granteePrincipal: `arn:aws:iam::${ACCOUNT}:user/mallory` }],
    ["given another end", { expiresAt: "2099-01-01T00:00:00Z" }],
    ["given a constraint", { constraints: { encryptionContextSubset: { a: "b" } } }],
    ["made out to another creator", { grantedBy: { user: "bob", groups: [] } }],
  ] as const)("that was %s after it was proven is not recorded", async (_, spec) => {
    const store = new Store();
    follow(store);
    store.put(keyGrant());
    await eventually(() => expect(rows()).toHaveLength(1));
    const { status } = store.grants.get("apps/grant") ?? {};
    keyring.run("DELETE FROM grants");
    store.leading = false;
    store.put(keyGrant({ spec, ...(status && { status }) }));
    store.put(keyGrant({ metadata: { name: "after", ...YOUNG }, spec: { ended: "Retired" } }));
    await eventually(() =>
      expect(keyring.grants.named({ namespace: "apps", name: "after" })).toHaveLength(1),
    );
    expect(rows()).toEqual([]);
  });

  test("whose proof cannot be checked, as the root key is away, keeps no other from being revoked", async () => {
    const store = new Store();
    follow(store);
    store.put(keyGrant());
    store.put(keyGrant({ metadata: { name: "other" } }));
    const named = (name: string) => keyring.grants.named({ namespace: "apps", name });
    await eventually(() => expect([...named("grant"), ...named("other")]).toHaveLength(2));
    end.abort();
    end = new AbortController();
    keyring.run("DELETE FROM grants WHERE name = 'grant'");
    store.leading = false;
    store.put(keyGrant({ metadata: { name: "other" }, spec: { ended: "Revoked" } }));
    rmSync(join(folder.path, "root.key"));
    follow(store);
    await eventually(() => expect(named("other")).toMatchObject([{ ended: { phase: "Revoked" } }]));
    expect(named("grant")).toEqual([]);
  });

  test("that comes after the admission policy has gone is not accepted, however soon after", async () => {
    const store = new Store();
    follow(store);
    store.put(keyGrant({ metadata: { name: "before" } }));
    await eventually(() => expect(store.grants.get("apps/before")?.status?.phase).toBe("Active"));
    store.guard = { kind: "missing", message: "it was deleted" };
    store.put(keyGrant());
    await eventually(() => expect(reason(store)).toBe("AdmissionPolicyMissing"));
    expect(rows()).toEqual([]);
  });

  test("that ended a day ago is removed", async () => {
    const store = new Store();
    store.put(keyGrant({ spec: { ended: "Retired" }, status: { endedAt: "2026-01-01T03:04:05Z" } }));
    follow(store);
    await eventually(() => expect(store.grants.size).toBe(0));
  });
});
