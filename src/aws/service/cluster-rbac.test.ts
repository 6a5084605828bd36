import { beforeEach, describe, expect, test } from "vitest";
import type { AccessQuestion } from "../../kube/access-review.ts";
import { ALICE } from "../../testing/aws-keyring.ts";
import { key } from "../../testing/keyring.ts";
import { ClusterRbac } from "./cluster-rbac.ts";

const KEY = { ...key({ namespace: "orders", name: "main" }) };

let now: number;
let answer: () => Promise<boolean>;
let questions: AccessQuestion[];
let reports: unknown[];
let rbac: ClusterRbac;
beforeEach(() => {
  now = 0;
  answer = async () => true;
  questions = [];
  reports = [];
  const review = (question: AccessQuestion) => {
    questions.push(question);
    return answer();
  };
  rbac = new ClusterRbac({ review, report: (error) => reports.push(error), now: () => now });
});

const ask = (caller = ALICE, verb = "encrypt") => rbac.ask(caller, verb, KEY);

describe("RBAC of a cluster", () => {
  test("is asked about the key by its name, and without a key about the caller's namespace", async () => {
    await ask();
    await rbac.ask(ALICE, "list-keys", undefined);
    const { user, groups } = ALICE;
    expect(questions).toEqual([
      { user, groups, verb: "encrypt", namespace: "orders", name: "main" },
      { user, groups, verb: "list-keys", namespace: "apps" },
    ]);
  });

  test.each([
    ["allowed", async () => true, 10_000],
    ["denied", async () => false, 2_000],
    ["unknown", () => Promise.reject(new Error("no route")), 1_000],
  ])("%s => the answer counts for its time and is asked again then", async (expected, given, life) => {
    answer = given;
    expect(await ask()).toBe(expected);
    now += life - 1;
    expect(await ask()).toBe(expected);
    expect(questions).toHaveLength(1);
    now += 1;
    await ask();
    expect(questions).toHaveLength(2);
  });

  test("an API server that cannot be asked => unknown, also for a caller that was allowed before", async () => {
    expect(await ask()).toBe("allowed");
    now += 10_000;
    answer = () => Promise.reject(new Error("no route"));
    expect(await ask()).toBe("unknown");
    expect(reports).toEqual([new Error("no route")]);
  });

  test("the answer for one user, set of groups, verb or key is not another's", async () => {
    await ask();
    answer = async () => false;
    expect(await ask({ ...ALICE, user: "bob" })).toBe("denied");
    expect(await ask({ ...ALICE, groups: [] })).toBe("denied");
    expect(await ask(ALICE, "decrypt")).toBe("denied");
    expect(await rbac.ask(ALICE, "encrypt", { ...KEY, name: "other" })).toBe("denied");
    expect(await rbac.ask(ALICE, "encrypt", undefined)).toBe("denied");
    // Names that run into one another are different names.
    const odd = { ...ALICE, user: 'alice","encrypt' };
    expect(await ask(odd)).toBe("denied");
    expect(await ask()).toBe("allowed");
  });

  test("the same question of many calls at once is asked once", async () => {
    const { promise, resolve } = Promise.withResolvers<boolean>();
    answer = () => promise;
    const answers = Array.from({ length: 100 }, () => ask());
    resolve(true);
    expect(new Set(await Promise.all(answers))).toEqual(new Set(["allowed"]));
    expect(questions).toHaveLength(1);
  });

  test("more than 8 questions of one caller at once => throttled, and others are answered", async () => {
    const { promise, resolve } = Promise.withResolvers<boolean>();
    answer = () => promise;
    const mallory = { ...ALICE, user: "mallory" };
    const waiting = Array.from({ length: 8 }, (_, n) => ask(mallory, `verb-${n}`));
    // Another set of groups, as of another session, has no share of its own.
    expect(await ask({ ...mallory, groups: [] }, "verb-9")).toBe("throttled");
    const others = ask();
    expect(questions).toHaveLength(9);
    resolve(true);
    expect(await others).toBe("allowed");
    await Promise.all(waiting);
    expect(await ask(mallory, "verb-9")).toBe("allowed");
  });

  test("more than 64 questions at once => throttled, and they are answered later", async () => {
    const { promise, resolve } = Promise.withResolvers<boolean>();
    answer = () => promise;
    const waiting = Array.from({ length: 64 }, (_, n) => ask({ ...ALICE, user: `user-${n}` }));
    expect(await ask({ ...ALICE, user: "one-more" })).toBe("throttled");
    resolve(true);
    await Promise.all(waiting);
    expect(await ask({ ...ALICE, user: "one-more" })).toBe("allowed");
  });
});
