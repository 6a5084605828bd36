import { describe, expect, test, vi } from "vitest";
import type { ReencryptionTask, Round, Work } from "./decide-reencryption.ts";
import { type Job, Reencryptor, type RewritableObjects, type RewriteRequest } from "./reencryptor.ts";

const ROUND: Round = { done: 3, failed: 0, failures: [] };
const REWRITE: ReencryptionTask = { kind: "rewrite", resources: ["secrets"] };
const COUNT: ReencryptionTask = { kind: "count", resources: ["secrets"] };
const NONE: ReencryptionTask = { kind: "none" };

/** Objects whose calls end when the test says so. */
class HeldObjects implements RewritableObjects {
  readonly calls: { readonly request: RewriteRequest | string; readonly signal: AbortSignal }[] = [];
  progress: (round: Round) => void = () => undefined;
  finish: (result: Round | number) => void = () => undefined;
  fail: (error: Error) => void = () => undefined;

  rewrite(
    request: RewriteRequest,
    { signal, onProgress }: Parameters<RewritableObjects["rewrite"]>[1],
  ): Promise<Round> {
    this.progress = onProgress;
    return this.#hold(request, signal);
  }

  count(_: readonly string[], kmsKeyId: string, signal: AbortSignal): Promise<number> {
    return this.#hold(kmsKeyId, signal);
  }

  #hold<T extends Round | number>(request: RewriteRequest | string, signal: AbortSignal): Promise<T> {
    this.calls.push({ request, signal });
    const { promise, resolve, reject } = Promise.withResolvers<T>();
    // The test finishes a rewrite with a Round and a count with a number.
    this.finish = resolve as (result: Round | number) => void;
    this.fail = reject;
    signal.addEventListener("abort", () => reject(new Error("aborted")));
    return promise;
  }
}

const job = (task: ReencryptionTask, changes: Partial<Job> = {}): Job => ({
  masterKey: "apps/secrets",
  kmsKeyId: "k2",
  round: 1,
  engine: "Claviger",
  task,
  ...changes,
});

function setUp() {
  const objects = new HeldObjects();
  const ended: string[] = [];
  const state = { leading: true, now: 0 };
  const reencryptor = new Reencryptor({
    objects,
    mayGoOn: () => state.leading,
    onChange: (masterKey) => ended.push(masterKey),
    now: () => state.now,
  });
  const becomes = (work: Work, of = job(REWRITE)) =>
    vi.waitFor(() => expect(reencryptor.work(of)).toEqual(work), { timeout: 60_000 });
  return { objects, ended, state, reencryptor, becomes };
}

describe("a round", () => {
  test("is begun once, shows how far it is, and says when it is through", async () => {
    const { objects, ended, reencryptor, becomes } = setUp();
    reencryptor.ensure(job(REWRITE));
    reencryptor.ensure(job(REWRITE));
    expect(objects.calls).toHaveLength(1);
    expect(objects.calls[0]?.request).toMatchObject({
      resources: ["secrets"],
      engine: "Claviger",
      kmsKeyId: "k2",
    });
    objects.progress(ROUND);
    expect(reencryptor.work(job(REWRITE))).toEqual({ kind: "rewriting", round: ROUND });
    expect(ended).toEqual([]);
    objects.finish({ ...ROUND, done: 9 });
    await becomes({ kind: "rewritten", round: { ...ROUND, done: 9 } });
    expect(ended).toEqual(["apps/secrets"]);
    reencryptor.ensure(job(REWRITE));
    expect(objects.calls).toHaveLength(1);
  });

  test("of another number or key_id knows nothing of this one, and takes its place", () => {
    const { objects, reencryptor } = setUp();
    reencryptor.ensure(job(REWRITE));
    objects.progress(ROUND);
    for (const other of [
      job(REWRITE, { round: 10 }),
      job(REWRITE, { kmsKeyId: "k3" }),
      job(REWRITE, { masterKey: "apps/b" }),
    ]) {
      expect(reencryptor.work(other)).toEqual({ kind: "idle" });
    }
    reencryptor.ensure(job(REWRITE, { round: 2 }));
    expect(objects.calls.map(({ signal }) => signal.aborted)).toEqual([true, false]);
  });

  test("is stopped when it is not asked for any more, and tells nobody", async () => {
    const { objects, ended, reencryptor, becomes } = setUp();
    reencryptor.ensure(job(REWRITE));
    objects.progress(ROUND);
    reencryptor.ensure(job(NONE));
    expect(objects.calls[0]?.signal.aborted).toBe(true);
    await becomes({ kind: "idle" });
    expect(ended).toEqual([]);
  });

  test("of another engine takes its place: one that does not get on can be changed", async () => {
    const { objects, reencryptor, becomes } = setUp();
    reencryptor.ensure(job(REWRITE, { engine: "StorageVersionMigration" }));
    objects.progress(ROUND);
    reencryptor.ensure(job(REWRITE));
    expect(objects.calls.map(({ signal }) => signal.aborted)).toEqual([true, false]);
    expect(objects.calls[1]?.request).toMatchObject({ engine: "Claviger" });
    objects.finish(ROUND);
    await becomes({ kind: "rewritten", round: ROUND });
  });

  test("is stopped when another operator leads", () => {
    const { objects, state, reencryptor } = setUp();
    reencryptor.ensure(job(REWRITE));
    state.leading = false;
    objects.progress(ROUND);
    expect(objects.calls[0]?.signal.aborted).toBe(true);
  });

  test("that could not go on says why, and is begun again after a while only", async () => {
    const { objects, ended, state, reencryptor, becomes } = setUp();
    reencryptor.ensure(job(REWRITE));
    objects.fail(new Error("no connection"));
    await becomes({ kind: "failed", message: "no connection" });
    expect(ended).toEqual(["apps/secrets"]);
    reencryptor.ensure(job(REWRITE));
    expect(objects.calls).toHaveLength(1);
    state.now = 10_000;
    reencryptor.ensure(job(REWRITE));
    expect(objects.calls).toHaveLength(2);
  });
});

describe("a census", () => {
  test("follows a round and gives its count", async () => {
    const { objects, reencryptor, becomes } = setUp();
    reencryptor.ensure(job(REWRITE));
    objects.finish(ROUND);
    await becomes({ kind: "rewritten", round: ROUND });
    reencryptor.ensure(job(COUNT));
    expect(reencryptor.work(job(COUNT))).toEqual({ kind: "counting" });
    expect(objects.calls[1]?.request).toBe("k2");
    objects.finish(0);
    await becomes({ kind: "counted", remaining: 0 });
    reencryptor.ensure(job(COUNT, { engine: "StorageVersionMigration" }));
    expect(objects.calls).toHaveLength(2);
  });
});

test("at the end everything is stopped", () => {
  const { objects, reencryptor } = setUp();
  reencryptor.ensure(job(REWRITE));
  reencryptor.ensure(job(COUNT, { masterKey: "apps/b" }));
  reencryptor.close();
  expect(objects.calls.every(({ signal }) => signal.aborted)).toBe(true);
});
