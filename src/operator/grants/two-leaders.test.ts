import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { ClavigerError } from "../../errors.ts";
import { KeyringWriter } from "../../keyring/writer.ts";
import type { KeyGrant } from "../../resources/resources.ts";
import type { KeyGrantStatus } from "../../resources/schemas/key-grant.ts";
import { createRootKey } from "../../seal/root-key-file.ts";
import type { View } from "../../store/view.ts";
import { ACCOUNT, keyGrant } from "../../testing/grants.ts";
import { deadline, promoted, temporaryFolder, version } from "../../testing/keyring.ts";
import { numbers } from "../../testing/numbers.ts";
import { masterKey, NOW, NOW_TEXT } from "../../testing/objects.ts";
import { sealsIn } from "../../testing/seals.ts";
import type { GrantStore } from "./grant-reconciler.ts";
import { grantIdOf } from "./grant-record.ts";
import { GrantsLoop } from "./grants-loop.ts";

const GRANTS = 40;
const seed = Number(process.env.CLAVIGER_TEST_SEED ?? 20_261_130);
/** Decides what happens, apart from the pauses, whose order depends on the machine. */
const random = numbers(seed);
const delay = numbers(seed + 1);
const pause = () => sleep(delay(4));

/** The KeyGrants of an API server. Each node sees their changes late, and in their order. */
class Server {
  readonly grants = new Map<string, KeyGrant>();
  readonly nodes: Node[] = [];
  #version = 1;

  put(grant: KeyGrant): void {
    this.#version += 1;
    const metadata = { ...grant.metadata, resourceVersion: String(this.#version) };
    this.grants.set(metadata.name, { ...grant, metadata });
    this.#tell(metadata.name);
  }
  delete(name: string): void {
    this.grants.delete(name);
    this.#tell(name);
  }
  async applyStatus(seen: KeyGrant, status: KeyGrantStatus): Promise<void> {
    await pause();
    const { name, resourceVersion } = seen.metadata;
    const current = this.grants.get(name);
    if (current?.metadata.resourceVersion !== resourceVersion)
      throw new ClavigerError("Conflict", `KeyGrant ${name} has changed`);
    this.put({ ...current, status });
  }
  #tell(name: string): void {
    for (const node of this.nodes) node.hear(name, this.grants.get(name));
  }
}

/** A node's operator, which leads when it believes so. */
class Node {
  leading = false;
  readonly keyring: KeyringWriter;
  readonly #seen = new Map<string, KeyGrant>();
  readonly #loop: GrantsLoop;
  readonly #run: Promise<void>;
  #heard = Promise.resolve();

  constructor(server: Server, folder: string, name: string, signal: AbortSignal) {
    const stateDir = join(folder, name);
    this.keyring = KeyringWriter.open(stateDir);
    this.keyring.apply(promoted(version(1)));
    this.#loop = new GrantsLoop({
      ...{ store: this.#store(server), keyring: this.keyring, clock: { now: () => NOW }, log: () => {} },
      seals: sealsIn(join(folder, "root.key")),
      config: { account: ACCOUNT, nodeName: name, stateDir },
    });
    this.#loop.begin();
    this.#run = this.#loop.run(signal);
  }
  /** Waits for the end of all work after the abort, and closes the keyring. */
  async close(): Promise<void> {
    await Promise.all([this.#run, this.#heard]);
    this.keyring.close();
  }
  hear(name: string, grant: KeyGrant | undefined): void {
    this.#heard = this.#heard.then(async () => {
      const before = this.#seen.get(name);
      await pause();
      if (grant === undefined) this.#seen.delete(name);
      else this.#seen.set(name, grant);
      const changed = grant ?? before;
      if (changed !== undefined) this.#loop.changed(changed);
    });
  }
  lead(leads: boolean): void {
    if (leads && !this.leading) this.#loop.begin();
    this.leading = leads;
  }
  /** Returns the ids of the grants that this node has recorded. */
  ids(ended: boolean): string[] {
    const where = ended ? "NOT NULL" : "NULL";
    return this.keyring
      .all(`SELECT grant_id FROM grants WHERE ended IS ${where} ORDER BY grant_id`)
      .map((row) => String(row.grant_id));
  }
  #store(server: Server): GrantStore {
    const node = this;
    return {
      get leading() {
        return node.leading;
      },
      view: () => ({ masterKeys: [masterKey()] }) as unknown as View,
      keyGrants: () => [...this.#seen.values()],
      keyGrant: ({ name }) => this.#seen.get(name),
      mayGrant: async () => {
        await pause();
        return true;
      },
      grantGuard: async () => ({ kind: "in-force", since: 0 }),
      deleteKeyGrant: async (grant) => server.delete(grant.metadata.name),
      applyStatus: (object, status) =>
        server.applyStatus(object as KeyGrant, status as unknown as KeyGrantStatus),
      recordEvent: async () => {},
    };
  }
}

let folder: ReturnType<typeof temporaryFolder>;
let server: Server;
let end: AbortController;
beforeEach(() => {
  folder = temporaryFolder();
  createRootKey(join(folder.path, "root.key"));
  end = new AbortController();
  server = new Server();
  for (const name of ["one", "two"]) server.nodes.push(new Node(server, folder.path, name, end.signal));
});
afterEach(async () => {
  end.abort();
  for (const node of server.nodes) await node.close();
  folder.remove();
});

test(`two operators that lead in turn, or both, agree on every grant, and no ended grant comes back (seed ${seed})`, async () => {
  const ended = new Set<string>();
  const expectNoneIsBack = () => {
    for (const node of server.nodes) {
      for (const id of node.ids(true)) ended.add(`${node.keyring.path} ${id}`);
      for (const id of node.ids(false)) expect(ended).not.toContain(`${node.keyring.path} ${id}`);
    }
  };
  for (let n = 0; n < GRANTS; n += 1) {
    for (const node of server.nodes) node.lead(random(2) === 0);
    const metadata = { name: `grant-${n}`, uid: `uid-${n}`, creationTimestamp: NOW_TEXT };
    server.put(keyGrant({ metadata }));
    await pause();
    const victim = server.grants.get(`grant-${random(n + 1)}`);
    const fate = random(3);
    if (victim !== undefined && fate === 0) server.delete(victim.metadata.name);
    if (victim !== undefined && fate === 1 && victim.spec.ended === undefined)
      server.put({ ...victim, spec: { ...victim.spec, ended: "Revoked" } });
    expectNoneIsBack();
  }
  server.nodes[0]?.lead(true);
  server.nodes[1]?.lead(false);
  const living = [...server.grants.values()].filter(({ spec }) => spec.ended === undefined).map(grantIdOf);
  expect(living.length).toBeGreaterThan(0);
  await vi.waitFor(() => {
    expectNoneIsBack();
    for (const node of server.nodes) expect(node.ids(false)).toEqual(living.toSorted());
  }, deadline);
});
