import { isDeepStrictEqual } from "node:util";
import type { KeyServerStatus } from "../../kube/resources.ts";
import { decideKeyServerStatus } from "../decide-key-server.ts";
import { decideKeyring, toKeyVersionSpec } from "../decide-keyring.ts";
import { keyServer, keyVersion } from "../testing.ts";
import { promotionCandidate } from "../versions.ts";
import type { Etcd } from "./etcd.ts";
import { ENTRIES, ModelEntry } from "./model-entry.ts";
import { ModelKeyring } from "./model-keyring.ts";
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
  /** When the operator last renewed its Lease. */
  heard = 0;
  contradictions: readonly string[] = [];

  constructor(name: string) {
    this.name = name;
  }

  /** One pass of the node loop. Its plugin sees the keyring a moment after the report is written. */
  sync(etcd: Etcd, now: Date, toTheEnd: boolean): Etcd {
    if (this.silent) return etcd;
    const observed = {
      masterKeys: etcd.masterKeys,
      keyVersions: etcd.versions,
      keyAliases: etcd.alias === undefined ? [] : [etcd.alias],
    };
    const acceptable = new Set(etcd.versions.map(({ metadata }) => metadata.name));
    const plan = decideKeyring(observed, this.keyring.contents(), acceptable);
    for (const change of plan.changes) this.keyring.apply(change);
    this.contradictions = plan.contradictions;
    const back = toTheEnd ? plan.handBack : [];
    const returned = back.map((row) => keyVersion(row.number, { spec: toKeyVersionSpec(row) }));
    const after = returned.length > 0 ? { ...etcd, versions: [...etcd.versions, ...returned] } : etcd;
    const reported = toTheEnd ? this.#report(after, etcd, now) : after;
    for (const socket of this.sockets) socket.follow(now.getTime());
    return reported;
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
    const prepared = candidates.filter(({ spec }) => versions.has(spec.versionId));
    return decideKeyServerStatus(
      {
        before,
        nodeUid: undefined,
        persistedResourceVersion: "1",
        // Newest first: the one that is served is found soonest.
        versions: [...versions.values()].reverse(),
        prepared: prepared.map(({ metadata, spec }) => ({ name: metadata.name, versionId: spec.versionId })),
        problems: [],
        seal: undefined,
        providers: SOCKETS,
        observations: this.sockets.flatMap((socket) => socket.observation(now.getTime())),
      },
      now,
    );
  }
}

function fail(): never {
  throw new Error("an entry names a socket that is not there");
}
