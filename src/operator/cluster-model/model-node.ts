import { isDeepStrictEqual } from "node:util";
import type { VersionRow } from "../../keyring/rows.ts";
import { periodKey } from "../../keyring/waiting-periods.ts";
import type { KeyServerStatus } from "../../kube/resources.ts";
import { decideEarlyErasure } from "../decide-early-erasure.ts";
import { decideErasure, type ErasurePlan, erasedHere, tombstoneSpec } from "../decide-erasure.ts";
import { decideKeyServerStatus } from "../decide-key-server.ts";
import { decideKeyring } from "../decide-keyring.ts";
import { decidePeriods } from "../decide-periods.ts";
import { decideTime } from "../decide-time.ts";
import { toKeyVersionSpec } from "../key-version-rows.ts";
import { listable } from "../listed-versions.ts";
import { servedVersions } from "../served-versions.ts";
import { keyServer, keyVersion } from "../testing.ts";
import { hasMaterial, promotionCandidate } from "../versions.ts";
import type { Waiting } from "../waiting-period.ts";
import type { Etcd } from "./etcd.ts";
import { ENTRIES, ModelEntry } from "./model-entry.ts";
import { ModelKeyring } from "./model-keyring.ts";
import { withTombstone } from "./model-retirement.ts";
import { ModelSocket, SOCKETS } from "./model-socket.ts";

/** A node: operator and keyring, plugin with its sockets, API server with its entries. */
export class ModelNode {
  readonly name: string;
  readonly keyring = new ModelKeyring();
  readonly sockets = SOCKETS.map((config) => new ModelSocket(config, this.keyring));
  readonly entries = ENTRIES.map(
    ({ resource, socket }) => new ModelEntry(resource, this.sockets[socket] ?? fail()),
  );
  silent = false;
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

  constructor(name: string) {
    this.name = name;
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
  sync(etcd: Etcd, now: Date, toTheEnd: boolean): Etcd {
    if (this.silent) return etcd;
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
    return reported;
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
      observations: this.sockets.flatMap((socket) => socket.observation(now.getTime())),
    });
  }

  #report(etcd: Etcd, seen: Etcd, now: Date): Etcd {
    const before = etcd.reports.find(({ metadata }) => metadata.name === this.name)?.status;
    const status = this.#status(seen, before, now);
    if (isDeepStrictEqual(before, status)) return etcd;
    const reports = etcd.reports.map((report) =>
      report.metadata.name === this.name ? keyServer(this.name, status) : report,
    );
    return { ...etcd, reports };
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
        providers: SOCKETS,
        observations: this.sockets.flatMap((socket) => socket.observation(now.getTime())),
      },
      now,
    );
    return { ...status, providers: (status.providers ?? []).map((one) => this.#withEpisode(one)) };
  }

  #withEpisode<T extends { readonly name: string }>(provider: T): T {
    const socket = this.sockets.find(({ config }) => config.name === provider.name);
    return { ...provider, ...(socket && { episode: socket.episode }) };
  }
}

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
  const returned = specs.map((spec) => ({ ...keyVersion(spec.number, { spec }), spec }));
  return { ...again, versions: [...again.versions, ...returned] };
}

function fail(): never {
  throw new Error("an entry names a socket that is not there");
}
