import type { Clock } from "../clock.ts";
import type { NodeConfig } from "../config/config.ts";
import {
  generateWrappingKeyPair,
  type WrappingKeyPair,
  type WrappingKeySpec,
} from "../crypto/import-wrapping.ts";
import type { KeyringWriter } from "../keyring/writer.ts";
import type { Log } from "../log.ts";
import type { ObjectName } from "../names.ts";
import type { SealSource } from "../seal/seal-source.ts";
import type { BindingWrites, FinalizerWrites, KeyVersionCreation, KeyVersionLookup } from "../store/roles.ts";
import type { Change } from "../store/view.ts";
import { AffectedWork } from "./affected-work.ts";
import { KeyAliasReconciler } from "./alias/key-alias-reconciler.ts";
import type { LeaderAudit } from "./audit/leader-audit.ts";
import { OwnIndex } from "./claims/own-index.ts";
import type { ViewIndex } from "./claims/view-index.ts";
import { FormerRegion } from "./former-region.ts";
import { MaterialImporter } from "./import/material-importer.ts";
import { KeyPairs } from "./key-pairs.ts";
import { MasterKeyReconciler } from "./master-key/master-key-reconciler.ts";
import { VersionMaker } from "./master-key/version-maker.ts";
import { NodeTender, type NodeTenderStore } from "./nodes/node-tender.ts";
import type { Reencryptor } from "./reencryption/reencryptor.ts";
import { Finalizers } from "./retirement/finalizers.ts";
import { Retirement, type RetirementStore } from "./retirement/retirement.ts";
import type { UsageCensus } from "./retirement/usage-census.ts";
import { type SlowMaterials, slowMaterial } from "./slow-material.ts";
import { StatusWriter } from "./status-writer.ts";
import type { TimeKeeper } from "./time/time-keeper.ts";
import type { WorkItem } from "./work-item.ts";

export type LeaderStore = RetirementStore &
  FinalizerWrites &
  KeyVersionCreation &
  KeyVersionLookup &
  BindingWrites &
  NodeTenderStore;

export type LeaderTime = Pick<TimeKeeper, "ask" | "note" | "waiting" | "doubt">;

export interface LeaderOptions {
  readonly config: NodeConfig;
  readonly store: LeaderStore;
  readonly keyring: KeyringWriter;
  readonly seals: SealSource;
  readonly log: Log;
  readonly clock: Clock;
  readonly reencryptor: Reencryptor;
  readonly usageCensus: UsageCensus;
  readonly time: LeaderTime;
  /** Undefined if no audit log is configured. */
  readonly audit?: LeaderAudit | undefined;
  /** Asks for another look at a MasterKey. */
  readonly lookAgain: (masterKey: ObjectName) => void;
}

/** Decides for the whole cluster. The leading operator runs it. */
export class LeaderLoop {
  readonly #store: LeaderStore;
  readonly #clock: Clock;
  readonly #index: OwnIndex;
  readonly #affected: AffectedWork;
  readonly #reencryptor: Reencryptor;
  readonly #wrappingKeyPairs: KeyPairs<WrappingKeySpec, WrappingKeyPair>;
  readonly #materials: SlowMaterials;
  readonly #retirement: Retirement;
  readonly #masterKeys: MasterKeyReconciler;
  readonly #aliases: KeyAliasReconciler;
  readonly #nodes: NodeTender;
  readonly #formerRegion: FormerRegion;

  constructor(options: LeaderOptions) {
    const { store, keyring, clock, lookAgain, log } = options;
    this.#store = store;
    this.#clock = clock;
    this.#index = new OwnIndex(keyring);
    this.#affected = new AffectedWork(() => store.view(), this.#index);
    this.#reencryptor = options.reencryptor;
    const asked = { onReady: lookAgain, log };
    this.#wrappingKeyPairs = new KeyPairs({
      ...asked,
      what: "wrapping key pair",
      generate: generateWrappingKeyPair,
    });
    this.#materials = new KeyPairs({ ...asked, what: "key material", generate: slowMaterial });
    this.#retirement = new Retirement(options);
    const writer = new StatusWriter(store, options.audit);
    this.#masterKeys = new MasterKeyReconciler({
      ...options,
      writer,
      maker: new VersionMaker({ ...options, slow: this.#materials }),
      importer: new MaterialImporter({ ...options, keyPairs: this.#wrappingKeyPairs }),
      retirement: this.#retirement,
      finalizers: new Finalizers(store),
    });
    this.#aliases = new KeyAliasReconciler({ ...options, writer });
    this.#nodes = new NodeTender(store);
    this.#formerRegion = new FormerRegion(options.config, log);
  }

  /** Returns the work on all objects. */
  allWork(): WorkItem[] {
    return this.#affected.all();
  }

  /** The work that depends on a changed object, and nothing else. */
  workFor(change: Change): WorkItem[] {
    return this.#affected.by(change);
  }

  /** Returns true if the work is on something that is in use: it must not wait for thousands of new keys. */
  isPrompt(work: WorkItem): boolean {
    return this.#affected.isPrompt(work);
  }

  /**
   * Begins to lead, perhaps again: other leaders have continued since, so earlier counts and writes are
   * dropped.
   */
  begin(): void {
    this.#reencryptor.close();
    this.#retirement.begin();
  }

  /** Stops the background work. */
  close(): void {
    this.#reencryptor.close();
    this.#wrappingKeyPairs.close();
    this.#materials.close();
    this.#retirement.close();
  }

  /** One step for one item. Returns after how many milliseconds to look again, if a wait is needed. */
  async reconcile(work: WorkItem, signal: AbortSignal): Promise<number | undefined> {
    const view = this.#store.view();
    return view && this.#dispatch(work, this.#index.of(view), signal);
  }

  async #dispatch(work: WorkItem, index: ViewIndex, signal: AbortSignal): Promise<number | undefined> {
    switch (work.kind) {
      case "MasterKey": {
        const masterKey = index.masterKey(work.name);
        if (masterKey !== undefined) this.#formerRegion.look(masterKey);
        return masterKey && this.#masterKeys.reconcile(masterKey, index, signal);
      }
      case "KeyAlias": {
        const alias = index.alias(work.name);
        return alias && this.#aliases.reconcile(alias, index);
      }
      case "KeyServers":
        return this.#nodes.tend(index.view, signal);
      case "Retirement":
        return this.#retirement.pass(index, signal, this.#clock.now());
    }
  }
}
