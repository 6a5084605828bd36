import type { Used } from "./etcd.ts";
import { PLAIN } from "./etcd.ts";
import { type FileName, RESOURCES, type Rule, rulesOf } from "./files.ts";
import { ModelEntry, plainUntil, type Written } from "./model-entry.ts";
import type { ModelSocket } from "./model-socket.ts";

/** A resource of the file that the API server uses, and an entry for each provider that reads it. */
interface LoadedRule {
  readonly rule: Rule;
  readonly entries: ReadonlyMap<string, ModelEntry>;
}

/**
 * A node's API server: the file that it uses, and everything that its requests in progress may still store.
 */
export class ModelApiServer {
  readonly #sockets: readonly ModelSocket[];
  /** Undefined if it was started without the flag. */
  file: FileName | undefined = "all";
  /** True if it runs: it does not start with a file that it refuses. */
  runs = true;
  #rules: readonly LoadedRule[];
  #late: readonly (Written & { readonly resource: string })[] = [];

  constructor(sockets: readonly ModelSocket[]) {
    this.#sockets = sockets;
    this.#rules = this.#load("all");
  }

  get entries(): readonly ModelEntry[] {
    return this.#rules.flatMap(({ entries }) => [...entries.values()]);
  }

  /** Polls one entry, or all entries. */
  poll(now: number, succeeds: boolean, one?: number): void {
    if (!this.runs) return;
    let index = 0;
    const { length } = this.entries;
    for (const { rule, entries } of this.#rules) {
      for (const [provider, entry] of entries) {
        if (one !== undefined && index++ !== one % length) continue;
        const before = entry.poll(now, succeeds);
        if (before !== undefined && rule.writes === provider) this.#leave(rule.resource, before, now);
      }
    }
  }

  /** Records that it has asked for Status every minute until now. */
  pollUntil(now: number): void {
    if (!this.runs) return;
    for (const { socket } of this.entries) socket.wasAsked(now);
    this.poll(now, true);
  }

  /**
   * Ends the process with all its requests. The next process, with a file or without the flag, asks every
   * entry before it serves.
   */
  restart(file: FileName | undefined, now: number): void {
    this.#late = [];
    this.runs = file !== "broken";
    this.file = file;
    this.#rules = this.#load(this.runs ? file : undefined);
    this.poll(now, true);
  }

  /**
   * Loads a file while it runs, if every entry answers. Requests that began under the former file still
   * store.
   */
  reload(file: FileName, now: number): boolean {
    const rules = this.probe(file, now);
    if (rules === undefined) return false;
    for (const resource of RESOURCES) {
      const before = this.#written(resource, now);
      if (before !== undefined) this.#leave(resource, before, now);
    }
    this.file = file;
    this.#rules = rules;
    return true;
  }

  /**
   * Asks the providers of a file for Status and has a seed encrypted, and does nothing else yet. Returns
   * undefined if it refuses the file.
   */
  probe(file: FileName, now: number): readonly LoadedRule[] | undefined {
    if (!this.runs || file === "broken") return undefined;
    const rules = this.#load(file);
    for (const { entries } of rules) for (const entry of entries.values()) entry.poll(now, true);
    const answers = rules.every(({ entries }) =>
      [...entries.values()].every(({ seed }) => seed !== undefined),
    );
    return answers ? rules : undefined;
  }

  /** Returns how a request that begins now stores; undefined if it fails. */
  storesUnder(resource: string, now: number): Used | undefined {
    if (!this.runs) return undefined;
    const found = this.#rule(resource);
    if (found?.rule.writes === undefined) return PLAIN;
    return found.entries.get(found.rule.writes)?.encryptsUnder(now);
  }

  /** Returns every way in which a request for the resource may still store. */
  mayStoreUnder(resource: string, now: number): Used[] {
    const late = this.#late.filter((one) => one.resource === resource && now < one.until);
    const used = late.map((one) => one.used);
    if (!this.runs) return used;
    const found = this.#rule(resource);
    if (found?.rule.writes === undefined) return [PLAIN, ...used];
    const entry = found.entries.get(found.rule.writes);
    const seed = entry !== undefined && now < entry.storesUntil ? entry.seed : undefined;
    return seed === undefined ? used : [seed, ...used];
  }

  /** Returns true if it has an entry that opens this. Every API server reads plain objects. */
  reads(resource: string, { provider }: Used): boolean {
    if (provider === undefined) return true;
    return this.#rule(resource)?.rule.reads.includes(provider) === true;
  }

  #rule(resource: string): LoadedRule | undefined {
    return this.#rules.find(({ rule }) => rule.resource === resource);
  }

  #written(resource: string, now: number): Written | undefined {
    const found = this.#rule(resource);
    if (found?.rule.writes === undefined) return plainUntil(now);
    return found.entries.get(found.rule.writes)?.written(now);
  }

  #leave(resource: string, written: Written, now: number): void {
    this.#late = [...this.#late, { resource, ...written }].filter(({ until }) => now < until);
  }

  #load(file: FileName | undefined): readonly LoadedRule[] {
    return rulesOf(file).map((rule) => ({
      rule,
      entries: new Map(
        rule.reads.flatMap((provider) => {
          const socket = this.#sockets.find(({ config }) => config.name === provider);
          return socket === undefined ? [] : [[provider, new ModelEntry(socket)] as const];
        }),
      ),
    }));
  }
}
