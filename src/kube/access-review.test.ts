import { expect, test } from "vitest";
import { type AccessQuestion, reviewAccess } from "./access-review.ts";
import type { KubeRequest } from "./request.ts";

const QUESTION: AccessQuestion = {
  user: "alice",
  groups: ["team"],
  verb: "encrypt",
  namespace: "apps",
  name: "orders",
};

async function review(status: unknown, question = QUESTION) {
  const calls: KubeRequest[] = [];
  const request = async (call: KubeRequest) => {
    calls.push(call);
    return { status };
  };
  return { allowed: await reviewAccess({ request }, question), call: calls[0] };
}

test("the question names the user, the groups that every user has, and the MasterKey", async () => {
  const { allowed, call } = await review({ allowed: true });
  expect(allowed).toBe(true);
  expect(call).toMatchObject({
    method: "POST",
    path: "/apis/authorization.k8s.io/v1/subjectaccessreviews",
    body: {
      spec: {
        user: "alice",
        groups: ["team", "system:authenticated"],
        resourceAttributes: {
          group: "kms.claviger.dev",
          resource: "masterkeys",
          verb: "encrypt",
          namespace: "apps",
          name: "orders",
        },
      },
    },
  });
});

test("a ServiceAccount is asked about with the groups of its kind and namespace", async () => {
  const user = "system:serviceaccount:shop:web";
  const { call } = await review({ allowed: true }, { ...QUESTION, user, groups: [] });
  expect(call?.body).toMatchObject({
    spec: { groups: ["system:authenticated", "system:serviceaccounts", "system:serviceaccounts:shop"] },
  });
});

test.each([{ allowed: false }, { allowed: true, denied: true }, { allowed: "true" }, {}, undefined])(
  "%j => not allowed",
  async (status) => {
    expect((await review(status)).allowed).toBe(false);
  },
);
