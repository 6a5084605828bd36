import { isDeepStrictEqual } from "node:util";
import type { ObservationRow, VersionRow } from "../../keyring/rows.ts";
import { periodKey } from "../../keyring/tables/waiting-periods.ts";
import {
  decideErasure,
  type ErasurePlan,
  erasedHere,
  tombstoneSpec,
} from "../../operator/node/decide-erasure.ts";
import { decideKeyServerStatus } from "../../operator/node/decide-key-server.ts";
import { decideKeyring } from "../../operator/node/decide-keyring.ts";
import { listable } from "../../operator/node/listed-versions.ts";
import { servedVersions } from "../../operator/node/served-versions.ts";
import { decideEarlyErasure } from "../../operator/retirement/decide-early-erasure.ts";
import { decidePeriods } from "../../operator/retirement/decide-periods.ts";
import type { Waiting } from "../../operator/retirement/waiting-period.ts";
import { decideTime } from "../../operator/time/decide-time.ts";
import { toKeyVersionSpec } from "../../resources/key-version-rows.ts";
import type { KeyServerStatus } from "../../resources/schemas/key-server.ts";
import { hasMaterial, promotionCandidate } from "../../resources/versions.ts";
import type { SocketScope } from "../../storage/scope.ts";
import { rfc3339 } from "../../times.ts";
import { keyServer, keyVersion } from "../objects.ts";
import type { Etcd, Used } from "./etcd.ts";
import { type FileName, RESOURCES, scopeIn } from "./files.ts";
import { ModelApiServer } from "./model-api-server.ts";
import { type KeyringImage, ModelKeyring } from "./model-keyring.ts";
import { withTombstone } from "./model-retirement.ts";
import { ModelSocket, SOCKETS } from "./model-socket.ts";

/** Longer than a node's Lease lasts. */
const LEASE_MILLISECONDS = 41_000;

/** An image of a node's disk. */
interface Image {
  readonly keyring: KeyringImage;
  readonly file: FileName;
}

export interface Excuse {
  /** From when on its operator can know. */
  readonly from: number;
  /** Whether the node's operator has reported since. */
  readonly reported: boolean;
}

/** A node: operator and keyring, plugin with its sockets, API server with its entries. */
export class ModelNode {
  readonly name: string;
  readonly keyring = new ModelKeyring();
  readonly sockets = SOCKETS.map((config) => new ModelSocket(config, this.keyring));
  readonly apiServer = new ModelApiServer(this.sockets);
  /** The EncryptionConfiguration on its disk, and when it was edited. */
  file: FileName = "all";
  editedAt = 0;
  /** Whether its operator reaches no API server. */
  cutOff = false;
  /** Whether its disk was put back, and its operator has not looked at the API server since. */
  unknown = false;
  /** Whether its report was ever a lie: a round that began by it goes on for a while. */
  hasLied = false;
  /** Whether its disk was ever put back: its API server wrote under a key_id of then for a moment. */
  hasReturned = false;
  /** Whether its disk was put back, and it has not caught up with the other nodes since. */
  behind = false;
  /** What its API server did that it has not reported, or no leader has looked at since. */
  excuse: Excuse | undefined;
  /** Whether somebody has its kubeconfig, and reports what he likes. */
  isLying = false;
  /** Whether what he reported may be believed still. */
  lies = false;
  /** Its KeyServer does not say what the API server goes by: an older API server. */
  readonly tells: boolean;
  /** How far its clock, and that of its API server, is ahead of the time that is true, in milliseconds. */
  skew = 0;
  serverSkew = 0;
  /** What `skew` was when its operator started. */
  skewAtStart = 0;
  /** All nodes, itself included, whose Leases it sees. */
  peers: readonly ModelNode[] = [];
  /** When the operator last renewed its Lease. */
  heard = 0;
  contradictions: readonly string[] = [];
  problems: ErasurePlan["problems"] = [];

  #image: Image | undefined;
  /** What the plugin wrote of its API server when the operator looked last. */
  #looked: readonly ObservationRow[] = [];

  constructor(name: string, tells = true) {
    this.name = name;
    this.tells = tells;
  }

  /** Whether its operator is heard of: it goes through the node's own API server. */
  get silent(): boolean {
    return this.cutOff || !this.apiServer.runs;
  }

  /** Everything that its API server may still store, by resource. */
  mayStoreUnder(now: number): { readonly resource: string; readonly used: Used }[] {
    return RESOURCES.flatMap((resource) =>
      this.apiServer.mayStoreUnder(resource, now).map((used) => ({ resource, used })),
    );
  }

  takeImage(): void {
    this.#image = { keyring: this.keyring.image(), file: this.file };
  }

  /** The machine comes back from the image, after longer than its Lease lasts. */
  comeBackFromImage(now: number): boolean {
    if (this.#image === undefined) return false;
    this.keyring.putBack(this.#image.keyring);
    this.file = this.#image.file;
    for (const socket of this.sockets) {
      socket.forgetEver();
      socket.restart(now, false);
    }
    this.#looked = [];
    this.apiServer.restart(this.file, now);
    this.heard = now - LEASE_MILLISECONDS;
    this.unknown = true;
    this.behind = true;
    this.hasReturned = true;
    return true;
  }

  /** What its own clock shows. */
  wall(now: Date): Date {
    return new Date(now.getTime() + this.skew);
  }

  /** What TimeKeeper knows. Operators run all the time: they have seen all of it pass. */
  waiting(now: Date): Waiting {
    const skews = new Map(
      this.peers.flatMap(({ name, skew, silent }) =>
        name === this.name || silent ? [] : [[name, skew - this.skew] as const],
      ),
    );
    const server = this.serverSkew - this.skew;
    const time = decideTime({
      others: { server, nodes: { skews, unheard: [] } },
      stepped: this.skew - this.skewAtStart,
    });
    return { time, periods: this.keyring.periods, seen: now.getTime() };
  }

  /** What TimeKeeper records. */
  note(etcd: Etcd, now: Date): void {
    const held = () => new Set<string>([...this.keyring.versions.values()].map(({ keyId }) => keyId));
    const view = { masterKeys: etcd.masterKeys, keyVersions: etcd.versions };
    const { put, drop } = decidePeriods({ ...view, ...this.waiting(now), held }, this.wall(now));
    for (const period of drop) this.keyring.periods.delete(periodKey(period));
    for (const period of put) this.keyring.periods.set(periodKey(period), period);
  }

  /** One pass of the node loop. Its plugin sees the keyring a moment after the report is written. */
  sync(etcd: Etcd, now: Date, toTheEnd: boolean, late = false): Etcd {
    if (this.silent) return etcd;
    if (!late) this.#looked = this.#observations(now);
    const observed = {
      masterKeys: etcd.masterKeys,
      keyVersions: etcd.versions,
      keyAliases: etcd.alias === undefined ? [] : [etcd.alias],
    };
    this.note(etcd, now);
    const erasure = this.#erasure(etcd, now);
    for (const change of erasure.changes) this.keyring.apply(change);
    const living = { ...observed, keyVersions: erasure.living };
    const acceptable = new Set(erasure.living.map(({ metadata }) => metadata.name));
    const checked = { acceptable, proven: new Set<string>(), served: this.#served(now) };
    const plan = decideKeyring(living, this.keyring.contents(), checked);
    for (const change of plan.changes) this.keyring.apply(change);
    this.contradictions = plan.contradictions;
    this.problems = erasure.problems;
    const after = toTheEnd ? handedBack(etcd, erasure, plan.handBack, now) : etcd;
    const reported = toTheEnd ? this.#report(after, etcd, now) : after;
    for (const socket of this.sockets) socket.follow(now.getTime());
    this.unknown = false;
    this.behind &&= this.peers.some(({ keyring }) =>
      [...keyring.versions.keys()].some((id) => this.#lacks(id)),
    );
    return reported;
  }

  #lacks(versionId: string): boolean {
    return !this.keyring.versions.has(versionId) && !this.keyring.tombstones.has(versionId);
  }

  /** Every tombstone is proven here: nobody forges any. */
  #erasure(etcd: Etcd, now: Date): ErasurePlan {
    const contents = this.keyring.contents();
    const tombstones = [...this.keyring.tombstones.values()];
    const gone = etcd.versions.filter((version) => !hasMaterial(version));
    if (tombstones.length === 0 && gone.length === 0) return { ...NOTHING, living: etcd.versions };
    const held = new Set<string>(this.keyring.versions.keys());
    const waiting = this.waiting(now);
    const known = { keyVersions: etcd.versions, masterKeys: etcd.masterKeys, held, waiting };
    return decideErasure({
      early: decideEarlyErasure(known, this.wall(now)),
      keyVersions: etcd.versions,
      versions: contents.versions,
      tombstones,
      proven: new Set(gone.map(({ metadata }) => metadata.name)),
      served: this.#served(now),
    });
  }

  #served(now: Date): ReadonlySet<string> {
    return servedVersions({
      ...this.keyring.contents(),
      providers: SOCKETS,
      observations: this.#observations(now),
    });
  }

  #observations(now: Date): ObservationRow[] {
    return this.sockets.flatMap((socket) => socket.observation(now.getTime()));
  }

  #report(etcd: Etcd, seen: Etcd, now: Date): Etcd {
    const before = etcd.reports.find(({ metadata }) => metadata.name === this.name)?.status;
    const status = this.#status(seen, before, now);
    if (isDeepStrictEqual(before, status)) return etcd;
    const others = etcd.reports.filter(({ metadata }) => metadata.name !== this.name);
    return { ...etcd, reports: [...others, keyServer(this.name, status)] };
  }

  #status(seen: Etcd, before: KeyServerStatus | undefined, now: Date): KeyServerStatus {
    const { versions } = this.keyring;
    const candidates = seen.masterKeys.flatMap((key) => promotionCandidate(key, seen.versions) ?? []);
    const tombstones = [...this.keyring.tombstones.values()];
    const prepared = candidates.filter(({ spec }) => versions.has(spec.versionId));
    const status = decideKeyServerStatus(
      {
        before,
        nodeUid: undefined,
        persistedResourceVersion: "1",
        // Newest first: the one that is served is found soonest.
        versions: [...versions.values()].reverse(),
        prepared: prepared.map(listable),
        erased: erasedHere(tombstones, seen.versions),
        problems: this.problems,
        seal: undefined,
        providers: SOCKETS.map((socket) => ({
          ...socket,
          scope: this.#scope(socket.name, before),
          editedAt: this.editedAt,
        })),
        observations: this.#looked,
      },
      now,
    );
    return this.isLying ? lieOf(status) : this.#withApiServer(status);
  }

  /** Of the file that the API server goes by, if it tells. */
  #scope(provider: string, before: KeyServerStatus | undefined): SocketScope {
    if (!this.tells) return scopeIn(this.file, provider);
    if (this.#word !== "NotLoaded") return scopeIn(this.apiServer.file, provider);
    const reported = before?.providers?.find(({ name }) => name === provider);
    const { entries = 0, resources = [], reads = [] } = reported ?? {};
    return { entries, resources, reads };
  }

  get #word() {
    if (this.apiServer.file === undefined) return "NotConfigured" as const;
    return this.apiServer.file === this.file ? ("Loaded" as const) : ("NotLoaded" as const);
  }

  #withApiServer(status: KeyServerStatus): KeyServerStatus {
    if (!this.tells) return { ...status, apiServer: { encryptionConfig: "Unknown" } };
    const isLate = this.#word === "NotLoaded";
    const providers = status.providers?.map(({ editNotTakenUp: _, ...provider }) => ({
      ...provider,
      ...(isLate && { editNotTakenUp: rfc3339(new Date(this.editedAt)) }),
    }));
    return { ...status, ...(providers && { providers }), apiServer: { encryptionConfig: this.#word } };
  }
}

/** What the leader would like to hear. */
const lieOf = (status: KeyServerStatus): KeyServerStatus => ({
  ...status,
  apiServer: { encryptionConfig: "Loaded" },
  ...(status.providers && {
    providers: status.providers.map(({ editNotTakenUp: _, notAskedSince: __, ...provider }) => ({
      ...provider,
      settled: true,
      encrypts: 100,
      episode: "lie",
    })),
  }),
});

const NOTHING = { changes: [], destroyAgain: [], handBack: [], restore: [], problems: [] };

/** What the API server has lost comes back from a node; what was destroyed does not, but its tombstone. */
function handedBack(etcd: Etcd, erasure: ErasurePlan, rows: readonly VersionRow[], now: Date): Etcd {
  const again = erasure.destroyAgain.reduce((one, { object }) => withTombstone(one, object, now), etcd);
  const gone = new Set(again.versions.filter((one) => !hasMaterial(one)).map(({ spec }) => spec.versionId));
  const specs = [
    ...rows.filter(({ versionId }) => !gone.has(versionId)).map(toKeyVersionSpec),
    ...erasure.handBack.map(tombstoneSpec),
  ];
  if (specs.length === 0) return again;
  const taken = new Set(again.versions.map(({ metadata }) => metadata.name));
  const returned = specs.map((spec) => {
    const version = keyVersion(spec.number, { spec });
    const { name } = version.metadata;
    const free = taken.has(name) ? `${name}-${spec.versionId}` : name;
    return { ...version, metadata: { ...version.metadata, name: free }, spec };
  });
  return { ...again, versions: [...again.versions, ...returned] };
}
