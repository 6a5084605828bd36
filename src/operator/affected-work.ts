import { objectName } from "../resources/object-text.ts";
import type { KeyAlias, KeyServer, MasterKey } from "../resources/resources.ts";
import { hasMaterial } from "../resources/versions.ts";
import type { Change, View } from "../store/view.ts";
import type { OwnIndex } from "./claims/own-index.ts";
import { dependentsOf } from "./master-key/key-server-dependents.ts";
import { awaitsCount } from "./retirement/decide-retirement.ts";
import { KEY_SERVERS, keyAliasWork, masterKeyWork, RETIREMENT, type WorkItem } from "./work-item.ts";

/** Says which work of the leader a change affects. */
export class AffectedWork {
  readonly #view: () => View | undefined;
  readonly #index: OwnIndex;
  /** KeyServers as they were when their changes were last looked at. */
  readonly #keyServers = new Map<string, KeyServer>();

  constructor(view: () => View | undefined, index: OwnIndex) {
    this.#view = view;
    this.#index = index;
  }

  /** Returns the work on all objects. */
  all(): WorkItem[] {
    const view = this.#view();
    if (view === undefined) return [];
    return [
      ...view.masterKeys.map((key) => masterKeyWork(objectName(key))),
      ...view.keyAliases.map((alias) => keyAliasWork(objectName(alias))),
      KEY_SERVERS,
      RETIREMENT,
    ];
  }

  /** The work that depends on a changed object, and nothing else. */
  by(change: Change): WorkItem[] {
    switch (change.kind) {
      case "MasterKey":
        return [
          masterKeyWork(objectName(change)),
          ...this.#aliasesTo(change),
          // A count is begun there, and whoever asked for the deletion may be waiting.
          ...(awaitsCount(change) ? [RETIREMENT] : []),
        ];
      case "KeyVersion":
        return [masterKeyWork(change.spec.masterKey), ...(hasMaterial(change) ? [] : [RETIREMENT])];
      case "KeyAlias":
        return [keyAliasWork(objectName(change)), ...this.#targetsOf(change)];
      case "KeyGrant":
        // They have a queue of their own (grants-loop.ts).
        return [];
      case "KeyServer":
        return [KEY_SERVERS, ...this.#dependents(change)];
    }
  }

  /** Returns true if the work is on something that is in use: it must not wait for thousands of new keys. */
  isPrompt(work: WorkItem): boolean {
    const index = this.#index.latest;
    if (work.kind === "MasterKey") return index?.masterKey(work.name)?.status?.currentVersion !== undefined;
    return work.kind !== "KeyAlias" || index?.alias(work.name)?.status?.masterKey !== undefined;
  }

  /**
   * Returns the keys to which an alias points or should point, after the change and when a pass last saw it.
   */
  #targetsOf(alias: KeyAlias): WorkItem[] {
    const { namespace } = objectName(alias);
    const former = this.#index.latest?.alias(objectName(alias));
    const names = [alias, former].flatMap((one) => [one?.spec.masterKey, one?.status?.masterKey]);
    const targets = new Set(names.filter((name) => name !== undefined));
    return [...targets].map((name) => masterKeyWork({ namespace, name }));
  }

  /** An alias that no pass has seen yet waits in the queue itself. */
  #aliasesTo(masterKey: MasterKey): WorkItem[] {
    const { name } = masterKey.metadata;
    return (this.#index.latest?.aliasesBeside(masterKey) ?? [])
      .filter(({ spec, status }) => spec.masterKey === name || status?.masterKey === name)
      .map((alias) => keyAliasWork(objectName(alias)));
  }

  #dependents({ metadata: { name } }: KeyServer): readonly WorkItem[] {
    const view = this.#view();
    if (view === undefined) return [];
    const before = this.#keyServers.get(name);
    // Only for this KeyServer: when all are listed again, several have changed at once, and each is reported
    // by itself.
    const after = view.keyServers.find((server) => server.metadata.name === name);
    if (after === undefined) this.#keyServers.delete(name);
    else this.#keyServers.set(name, after);
    const dependents = dependentsOf(before, after, view);
    return dependents === "all" ? this.all() : dependents;
  }
}
