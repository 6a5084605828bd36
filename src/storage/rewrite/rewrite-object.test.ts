import { expect, test } from "vitest";
import { KubeClient } from "../../kube/client.ts";
import { KubeError } from "../../kube/kube-error.ts";
import type { KubeRequest } from "../../kube/request.ts";
import { CallLimiter } from "./call-limiter.ts";
import { rewriteObject } from "./rewrite-object.ts";

const secrets = { group: "", version: "v1", resource: "secrets", namespaced: true };
const listed = { namespace: "a", name: "b", uid: "u1", resourceVersion: "7" };
const notFound = (what: string) =>
  new KubeError(404, `${what} not found`, { reason: "NotFound", message: `${what} not found`, causes: [] });

/** Answers each call with the next of its method's answers. */
class Scripted extends KubeClient {
  readonly #answers: Record<string, unknown[]>;

  constructor(answers: Record<string, unknown[]>) {
    super("/nowhere/kubeconfig");
    this.#answers = answers;
  }

  override async request({ method }: KubeRequest): Promise<unknown> {
    const answer = this.#answers[method]?.shift();
    if (answer === undefined) throw new Error(`one ${method} too many`);
    if (answer instanceof Error) throw answer;
    return { metadata: answer };
  }
}

const rewritten = (answers: Record<string, unknown[]>) =>
  rewriteObject(
    {
      client: new Scripted(answers),
      limiter: new CallLimiter({ maxParallelism: 1, patienceMilliseconds: 1_000 }),
      signal: new AbortController().signal,
    },
    secrets,
    listed,
  );

test("neither a write nor a read finds the object => it is gone", async () => {
  const missing = notFound('secrets "b"');
  expect(await rewritten({ PATCH: [missing], GET: [missing] })).toBe("gone");
});

test("admission says 404 of a namespace that is no more, and the object is there => it is a failure", async () => {
  // The answer of MatchNamespaceSelector of k8s.io/apiserver, for webhooks and policies that have a
  // namespaceSelector.
  const answers = { PATCH: [notFound('namespaces "a"')], GET: [listed] };
  await expect(rewritten(answers)).rejects.toThrow('namespaces "a" not found');
});

test("an object is made anew right after it was not found => the new one is written", async () => {
  const anew = { ...listed, uid: "u2", resourceVersion: "9" };
  expect(await rewritten({ PATCH: [notFound('secrets "b"'), anew], GET: [anew] })).toBe("unchanged");
});
