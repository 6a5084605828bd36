import type { KeyringChange, PutKey } from "../../keyring/changes.ts";
import {
  type AliasRow,
  isLater,
  type KeptTombstone,
  type KeyRow,
  type TombstoneRow,
  type VersionRow,
} from "../../keyring/rows.ts";
import { leftAt, mergeFormerTargets } from "../../keyring/tables/former-targets.ts";
import type { WaitingPeriod } from "../../keyring/tables/waiting-periods.ts";
import type { KeyRef } from "../../names.ts";
import { nameText } from "../../names.ts";
import type { LeaderKeyring } from "../../operator/claims/leader-keyring.ts";
import type { KeyringContents } from "../../operator/node/keyring/keyring-plan.ts";

/** The version that a socket must serve. */
export interface Current {
  readonly key: KeyRow;
  readonly version: VersionRow;
}

export interface KeyringImage {
  readonly versions: ReadonlyMap<string, VersionRow>;
  readonly tombstones: ReadonlyMap<string, KeptTombstone>;
  readonly periods: ReadonlyMap<string, WaitingPeriod>;
  readonly keys: ReadonlyMap<string, KeyRow>;
  readonly aliases: ReadonlyMap<string, AliasRow>;
}

/** A node's keyring: the behaviour of KeyringWriter, with its refusals, without a file. */
export class ModelKeyring {
  readonly versions = new Map<string, VersionRow>();
  readonly tombstones = new Map<string, KeptTombstone>();
  /** The waiting periods that this node has seen. */
  readonly periods = new Map<string, WaitingPeriod>();
  /** The number of applied changes. */
  changes = 0;
  readonly #keys = new Map<string, KeyRow>();
  readonly #aliases = new Map<string, AliasRow>();

  contents(): KeyringContents {
    return {
      keys: [...this.#keys.values()],
      aliases: [...this.#aliases.values()],
      versions: [...this.versions.values()],
    };
  }

  /** The tables as the leader's decisions read them. */
  get tables(): LeaderKeyring {
    const { keys, aliases, versions } = this.contents();
    return { keys: () => keys, aliases: () => aliases, versions: () => versions };
  }

  /** Returns the contents for an image of the disk. */
  image(): KeyringImage {
    return {
      versions: new Map(this.versions),
      tombstones: new Map(this.tombstones),
      periods: new Map(this.periods),
      keys: new Map(this.#keys),
      aliases: new Map(this.#aliases),
    };
  }

  /** Restores the disk from an image. */
  putBack(image: KeyringImage): void {
    this.changes += 1;
    refill(this.versions, image.versions);
    refill(this.tombstones, image.tombstones);
    refill(this.periods, image.periods);
    refill(this.#keys, image.keys);
    refill(this.#aliases, image.aliases);
  }

  key(name: string): KeyRow | undefined {
    return this.#keys.get(name);
  }

  alias(name: string): AliasRow | undefined {
    return this.#aliases.get(name);
  }

  /** Returns the answer of LiveKeyring; undefined if that throws. */
  current(ref: KeyRef): Current | undefined {
    const name = "key" in ref ? nameText(ref.key) : this.#target(nameText(ref.alias));
    const key = this.#keys.get(name ?? "");
    const version = this.versions.get(key?.current?.versionId ?? "");
    if (key === undefined || version === undefined) return undefined;
    return { key, version };
  }

  /** Returns true if the keyId may not be used, because it is disabled or pending deletion. */
  isRefused(keyId: string): boolean {
    return [...this.#keys.values()].some(
      (key) => key.keyId === keyId && (!key.enabled || key.deletionDate !== undefined),
    );
  }

  apply(change: KeyringChange): void {
    this.changes += 1;
    switch (change.kind) {
      case "putVersion":
        if (this.tombstones.has(change.version.versionId)) throw new Error("a destroyed version came back");
        this.versions.set(change.version.versionId, change.version);
        break;
      case "putKey":
        this.#putKey(change.key);
        break;
      case "setCurrent":
        this.#setCurrent(nameText(change.key), change.version);
        break;
      case "forgetKey":
        this.#keys.delete(nameText(change.key));
        break;
      case "putAlias":
        this.#putAlias(change.alias);
        break;
      case "putFormerKeyIds":
        throw new Error("only a restored keyring names former keyIds");
      case "destroyVersion":
        this.#destroyVersion(change.tombstone);
        break;
    }
  }

  #target(alias: string): string | undefined {
    const row = this.#aliases.get(alias);
    return row && nameText({ namespace: row.namespace, name: row.masterKey });
  }

  #putAlias(alias: AliasRow): void {
    const { namespace, name, masterKey } = alias;
    const stored = this.#aliases.get(nameText(alias));
    const target = this.#keys.get(nameText({ namespace, name: masterKey }));
    const left = stored && this.#keys.get(nameText({ namespace, name: stored.masterKey }));
    if (stored === undefined || stored.masterKey === masterKey || target === undefined) {
      this.#aliases.set(nameText(alias), { ...stored, ...alias });
      return;
    }
    if (leftAt(stored.formerTargets, target) !== undefined) throw new Error(`alias ${name} went back`);
    const former =
      left?.current && left.keyId !== target.keyId ? [{ keyId: left.keyId, ...left.current }] : [];
    const formerTargets = mergeFormerTargets(stored.formerTargets ?? [], former);
    this.#aliases.set(nameText(alias), { namespace, name, masterKey, formerTargets });
  }

  #destroyVersion(tombstone: TombstoneRow): void {
    const { versionId } = tombstone;
    for (const [name, { current, ...key }] of this.#keys) {
      if (current?.versionId === versionId) this.#keys.set(name, key);
    }
    this.versions.delete(versionId);
    this.tombstones.set(versionId, { ...tombstone, erased: true });
  }

  #putKey(put: PutKey): void {
    const before = this.#keys.get(nameText(put));
    const same = before?.keyId === put.keyId;
    const left = same || before?.current === undefined ? [] : [before.keyId];
    const formerKeyIds = [...(before?.formerKeyIds ?? []), ...left];
    if (formerKeyIds.includes(put.keyId)) throw new Error(`keyId ${put.keyId} came back`);
    this.#keys.set(nameText(put), {
      ...put,
      formerKeyIds,
      ...(same && before.current && { current: before.current }),
    });
  }

  #setCurrent(name: string, version: VersionRow): void {
    const key = this.#keys.get(name);
    const { versionId, number } = version;
    if (key?.keyId !== version.keyId) throw new Error(`current version of another key than ${name}`);
    if (!this.versions.has(versionId)) throw new Error(`current version of ${name} is not stored`);
    if (key.current && isLater(key.current, version)) throw new Error(`version of ${name} went back`);
    this.#keys.set(name, { ...key, current: { versionId, number } });
  }
}

function refill<T>(map: Map<string, T>, from: ReadonlyMap<string, T>): void {
  map.clear();
  for (const [key, value] of from) map.set(key, value);
}
