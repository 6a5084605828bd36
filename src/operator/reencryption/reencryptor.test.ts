import { describe, expect, test, vi } from "vitest";
import { KubeError } from "../../kube/kube-error.ts";
import { nameText } from "../../names.ts";
import type { RewritableObjects, RewriteRequest, Round, StoredCount } from "../../storage/stored-objects.ts";
import { type Job, Reencryptor } from "./reencryptor.ts";
import type { ReencryptionTask, Work } from "./work.ts";

const ROUND: Round = { done: 3, failed: 0, failures: [] };
const REWRITE: ReencryptionTask = { kind: "rewrite", resources: ["secrets"] };
const GROUND = [{ node: "a", provider: "p", episode: "e1", encrypts: 1 }];
const COUNT: ReencryptionTask = { kind: "count", resources: ["secrets"], ground: GROUND };
const NOTHING_LEFT: StoredCount = { remaining: 0, strays: [], revision: 7 };
const NONE: ReencryptionTask = { kind: "none" };

/** Objects whose calls end when the test says so. */
class HeldObjects implements RewritableObjects {
  readonly calls: { readonly request: RewriteRequest | string; readonly signal: AbortSignal }[] = [];
  progress: (round: Round) => void = () => undefined;
  finish: (result: Round | StoredCount) => void = () => undefined;
  fail: (error: Error) => void = () => undefined;

  rewrite(
    request: RewriteRequest,
    { signal, onProgress }: Parameters<RewritableObjects["rewrite"]>[1],
  ): Promise<Round> {
    this.progress = onProgress;
    return this.#hold(request, signal);
  }

  count(_: readonly string[], kmsKeyId: string, signal: AbortSignal): Promise<StoredCount> {
    return this.#hold(kmsKeyId, signal);
  }

  #hold<T extends Round | StoredCount>(request: RewriteRequest | string, signal: AbortSignal): Promise<T> {
    this.calls.push({ request, signal });
    const { promise, resolve, reject } = Promise.withResolvers<T>();
    // The test ends a rewrite with a Round, and a count with its result.
    this.finish = resolve as (result: Round | StoredCount) => void;
    this.fail = reject;
    signal.addEventListener("abort", () => reject(new Error("aborted")));
    return promise;
  }
}

const job = (task: ReencryptionTask, changes: Partial<Job> = {}): Job => ({
  masterKey: { namespace: "apps", name: "secrets" },
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
    onChange: (masterKey) => ended.push(nameText(masterKey)),
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
      job(REWRITE, { masterKey: { namespace: "apps", name: "b" } }),
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

test("a round whose API server asks to be left alone is not begun again before", async () => {
  const { objects, state, reencryptor, becomes } = setUp();
  reencryptor.ensure(job(REWRITE));
  objects.fail(new KubeError(429, "too many requests", { causes: [], retryAfterSeconds: 30 }));
  await becomes({ kind: "failed", message: "too many requests" });
  state.now = 29_999;
  reencryptor.ensure(job(REWRITE));
  expect(objects.calls).toHaveLength(1);
  state.now = 30_000;
  reencryptor.ensure(job(REWRITE));
  expect(objects.calls).toHaveLength(2);
});

describe("a round that continues from a cursor", () => {
  const failure = (object: string) => ({ object, reason: "Invalid", message: "denied" });
  const cursor = { resource: "secrets" };
  const earlier = { failed: 2, failures: [failure("secrets a/one"), failure("secrets a/two")] };

  test("tells what failed before it too, each object once", async () => {
    const { objects, reencryptor, becomes } = setUp();
    reencryptor.ensure(job({ kind: "rewrite", resources: ["secrets"], cursor, before: earlier }));
    expect(objects.calls[0]?.request).toEqual({
      resources: ["secrets"],
      engine: "Claviger",
      kmsKeyId: "k2",
      cursor,
    });
    objects.progress(ROUND);
    expect(reencryptor.work(job(REWRITE))).toEqual({ kind: "rewriting", round: { ...ROUND, ...earlier } });
    objects.finish({ ...ROUND, failed: 2, failures: [failure("secrets a/two"), failure("secrets b/x")] });
    const failures = ["secrets a/one", "secrets a/two", "secrets b/x"].map(failure);
    await becomes({ kind: "rewritten", round: { ...ROUND, failed: 3, failures } });
  });
});

describe("a census", () => {
  test("follows a round and gives its count, with the sockets of which it is", async () => {
    const { objects, reencryptor, becomes } = setUp();
    reencryptor.ensure(job(REWRITE));
    objects.finish(ROUND);
    await becomes({ kind: "rewritten", round: ROUND });
    reencryptor.ensure(job(COUNT));
    expect(reencryptor.work(job(COUNT))).toEqual({ kind: "counting" });
    expect(objects.calls[1]?.request).toBe("k2");
    objects.finish(NOTHING_LEFT);
    await becomes({ kind: "counted", ground: GROUND, found: NOTHING_LEFT });
    reencryptor.ensure(job(COUNT, { engine: "StorageVersionMigration" }));
    expect(objects.calls).toHaveLength(2);
  });

  test("is begun again when a socket is no longer as it was when it began", () => {
    const { objects, reencryptor } = setUp();
    reencryptor.ensure(job(COUNT));
    const ground = GROUND.map((one) => ({ ...one, encrypts: 2 }));
    reencryptor.ensure(job({ kind: "count", resources: ["secrets"], ground }));
    expect(objects.calls.map(({ signal }) => signal.aborted)).toEqual([true, false]);
  });
});

test("at the end everything is stopped", () => {
  const { objects, reencryptor } = setUp();
  reencryptor.ensure(job(REWRITE));
  reencryptor.ensure(job(COUNT, { masterKey: { namespace: "apps", name: "b" } }));
  reencryptor.close();
  expect(objects.calls.every(({ signal }) => signal.aborted)).toBe(true);
});
