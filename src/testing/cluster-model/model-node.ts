import { isDeepStrictEqual } from "node:util";
import type { ObservationRow } from "../../keyring/rows.ts";
import { periodKey } from "../../keyring/tables/waiting-periods.ts";
import { decideErasure, type ErasurePlan } from "../../operator/node/decide-erasure.ts";
import { decideKeyring } from "../../operator/node/keyring/decide-keyring.ts";
import { servedVersions } from "../../operator/node/served-versions.ts";
import { decideEarlyErasure } from "../../operator/retirement/decide-early-erasure.ts";
import { decidePeriods } from "../../operator/retirement/decide-periods.ts";
import type { Waiting } from "../../operator/retirement/waiting-period.ts";
import { decideTime } from "../../operator/time/decide-time.ts";
import { hasMaterial } from "../../resources/versions.ts";
import { keyServer } from "../objects.ts";
import type { Etcd, Used } from "./etcd.ts";
import { type FileName, RESOURCES } from "./files.ts";
import { handedBack } from "./handed-back.ts";
import { ModelApiServer } from "./model-api-server.ts";
import { type KeyringImage, ModelKeyring } from "./model-keyring.ts";
import { statusOf } from "./model-report.ts";
import { ModelSocket, SOCKETS } from "./model-socket.ts";

/** Longer than a node's Lease lasts. */
const LEASE_MILLISECONDS = 41_000;

/** An image of a node's disk. */
interface Image {
  readonly keyring: KeyringImage;
  readonly file: FileName;
}

export interface Excuse {
  /** The time from which its operator can know. */
  readonly from: number;
  /** True if the node's operator has reported since. */
  readonly reported: boolean;
}

/** A node: operator and keyring, plugin with its sockets, API server with its entries. */
export class ModelNode {
  readonly name: string;
  readonly keyring = new ModelKeyring();
  readonly sockets = SOCKETS.map((config) => new ModelSocket(config, this.keyring));
  readonly apiServer = new ModelApiServer(this.sockets);
  /** The EncryptionConfiguration on its disk, and the time of its last edit. */
  file: FileName = "all";
  editedAt = 0;
  /** True if its operator reaches no API server. */
  cutOff = false;
  /** True if its disk was restored, and its operator has not looked at the API server since. */
  unknown = false;
  /** True if its report was ever a lie: a round that it started continues for a while. */
  hasLied = false;
  /** True if its disk was ever restored: its API server wrote under an old key_id for a moment. */
  hasReturned = false;
  /** True if its disk was restored, and it has not caught up with the other nodes since. */
  behind = false;
  /** Actions of its API server that it has not reported, or that no leader has looked at since. */
  excuse: Excuse | undefined;
  /** True if somebody has its kubeconfig, and writes false reports. */
  isLying = false;
  /** True if a false report may still be believed. */
  lies = false;
  /** False if its KeyServer does not name the file of the API server, because the API server is older. */
  readonly tells: boolean;
  /** How far its clock, and that of its API server, is ahead of the true time, in milliseconds. */
  skew = 0;
  serverSkew = 0;
  /** The value of `skew` when its operator started. */
  skewAtStart = 0;
  /** All nodes, itself included, whose Leases it sees. */
  peers: readonly ModelNode[] = [];
  /** When the operator last renewed its Lease. */
  heard = 0;
  contradictions: readonly string[] = [];
  problems: ErasurePlan["problems"] = [];

  #image: Image | undefined;
  /** The plugin's observations of its API server at the operator's last look. */
  #looked: readonly ObservationRow[] = [];

  constructor(name: string, tells = true) {
    this.name = name;
    this.tells = tells;
  }

  /** True if its operator does not renew its Lease: it uses the node's own API server. */
  get silent(): boolean {
    return this.cutOff || !this.apiServer.runs;
  }

  /** Returns everything that its API server may still store, by resource. */
  mayStoreUnder(now: number): { readonly resource: string; readonly used: Used }[] {
    return RESOURCES.flatMap((resource) =>
      this.apiServer.mayStoreUnder(resource, now).map((used) => ({ resource, used })),
    );
  }

  takeImage(): void {
    this.#image = { keyring: this.keyring.image(), file: this.file };
  }

  /** Brings the machine back from the image, after longer than its Lease lasts. */
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

  /** Returns the time of its own clock. */
  wall(now: Date): Date {
    return new Date(now.getTime() + this.skew);
  }

  /** Returns the knowledge of TimeKeeper. Operators run all the time, so they have seen all of it pass. */
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

  /** Records as TimeKeeper does. */
  note(etcd: Etcd, now: Date): void {
    const held = () => new Set<string>([...this.keyring.versions.values()].map(({ keyId }) => keyId));
    const view = { masterKeys: etcd.masterKeys, keyVersions: etcd.versions };
    const { put, drop } = decidePeriods({ ...view, ...this.waiting(now), held }, this.wall(now));
    for (const period of drop) this.keyring.periods.delete(periodKey(period));
    for (const period of put) this.keyring.periods.set(periodKey(period), period);
  }

  /** Makes one pass of the node loop. Its plugin sees the keyring a moment after the report is written. */
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

  /** Every tombstone is proven here, because nobody forges any. */
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
    const status = statusOf(this, { seen, before, looked: this.#looked }, now);
    if (isDeepStrictEqual(before, status)) return etcd;
    const others = etcd.reports.filter(({ metadata }) => metadata.name !== this.name);
    return { ...etcd, reports: [...others, keyServer(this.name, status)] };
  }
}

const NOTHING = { changes: [], destroyAgain: [], handBack: [], restore: [], problems: [] };
