import { setTimeout as sleep } from "node:timers/promises";
import { isDeepStrictEqual } from "node:util";
import { messageOf } from "../../errors.ts";
import type { Log } from "../../log.ts";
import { type AnyResource, API_VERSION } from "../../resources/resources.ts";
import { Absences } from "./absences.ts";
import { type KeptObjects, keyOf, newMetadata } from "./kept-objects.ts";
import { judgeManifest, manifestKey, refusalsOf } from "./manifest-verdicts.ts";
import { appearances, fingerprint, MANIFEST_KINDS, type Manifest, readManifests } from "./manifests.ts";

const POLL_MILLISECONDS = 500;

interface FolderFollowerOptions {
  readonly folder: string;
  readonly objects: KeptObjects;
  readonly log: Log;
  /** Called for an object whose manifest was read and has not changed. */
  readonly onUnchanged: (object: AnyResource) => void;
}

/**
 * Updates MasterKeys, KeyAliases and KeyGrants from a folder of manifests. A manifest that is refused changes nothing:
 * the object stays unchanged.
 */
export class FolderFollower {
  readonly #options: FolderFollowerOptions;
  /** Maps each object to its file. */
  readonly #sources = new Map<string, string>();
  readonly #absences = new Absences();
  /** The objects that no manifest had when the folder was read last. */
  #absent: ReadonlySet<string> = new Set();
  #synced = false;

  constructor(options: FolderFollowerOptions) {
    this.#options = options;
  }

  /** True once the folder was read. */
  get synced(): boolean {
    return this.#synced;
  }

  /** Runs until aborted. Calls `onFirst` when the folder was read for the first time. */
  async run(signal: AbortSignal, onFirst: () => void): Promise<void> {
    const { folder, log } = this.#options;
    let seen: string | undefined;
    let complaint: string | undefined;
    while (!signal.aborted) {
      try {
        const files = appearances(folder);
        const now = fingerprint(files);
        if (now !== seen) this.#readFolder();
        this.#removeAbsent(files, now);
        if (seen === undefined) onFirst();
        seen = now;
        complaint = undefined;
      } catch (error) {
        if (complaint !== messageOf(error)) log("error", messageOf(error));
        complaint = messageOf(error);
      }
      await sleep(POLL_MILLISECONDS, undefined, { signal }).catch(() => undefined);
    }
  }

  #readFolder(): void {
    const { manifests, problems, unreadable } = readManifests(this.#options.folder);
    for (const problem of problems) this.#options.log("error", problem);
    for (const manifest of manifests) this.#accept(manifest);
    const wanted = new Set(manifests.map(manifestKey));
    const absent = MANIFEST_KINDS.flatMap((kind): AnyResource[] => this.#options.objects.ofKind(kind)).filter(
      (object) => !wanted.has(keyOf(object)) && !this.#mayBeIn(unreadable, object),
    );
    this.#absent = new Set(absent.map(keyOf));
    this.#synced = true;
  }

  /** After a restart an object may have been in any file. */
  #removeAbsent(files: ReadonlyMap<string, string>, all: string): void {
    const appearance = (source: string | undefined) =>
      source === undefined ? all : (files.get(source) ?? "none");
    const absent = [...this.#absent].map((key) => [key, appearance(this.#sources.get(key))] as const);
    for (const key of this.#absences.look(new Map(absent))) {
      const object = this.#options.objects.get(key);
      if (object !== undefined) this.#options.objects.remove(object);
      this.#sources.delete(key);
    }
    this.#absent = new Set([...this.#absent].filter((key) => this.#options.objects.get(key) !== undefined));
  }

  /**
   * A file that is unreadable at present still has its objects. After a restart an object may be in any such
   * file.
   */
  #mayBeIn(unreadable: ReadonlySet<string>, object: AnyResource): boolean {
    const source = this.#sources.get(keyOf(object));
    return source === undefined ? unreadable.size > 0 : unreadable.has(source);
  }

  #accept(manifest: Manifest): void {
    const key = manifestKey(manifest);
    const stored = this.#options.objects.get(key);
    const old = stored !== undefined && "spec" in stored ? stored.spec : undefined;
    const { value, problems } = judgeManifest(manifest, old);
    this.#sources.set(key, manifest.source);
    if (problems.length > 0) {
      const refusals = refusalsOf(manifest, problems, stored !== undefined);
      for (const refusal of refusals) this.#options.log("error", refusal);
      return;
    }
    if (stored !== undefined && isDeepStrictEqual(old, value)) {
      this.#options.onUnchanged(stored);
      return;
    }
    const before = stored?.metadata ?? newMetadata(manifest.name, manifest.namespace);
    const metadata = { ...before, generation: stored === undefined ? 1 : before.generation + 1 };
    this.#options.objects.put({
      ...stored,
      apiVersion: API_VERSION,
      kind: manifest.kind,
      metadata,
      spec: value,
    } as AnyResource);
  }
}
