import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { FakeApiServer, json } from "../testing/fake-api-server.ts";
import { KubeClient } from "./client.ts";
import { TokenReviews } from "./token-review.ts";

let server: FakeApiServer;
let client: KubeClient;
beforeAll(async () => {
  server = await FakeApiServer.start();
  client = new KubeClient(server.kubeconfig);
});
afterAll(async () => {
  client.close();
  await server.stop();
});

const USER = { username: "system:serviceaccount:shop:web", groups: ["system:serviceaccounts"] };
const reviews = () => new TokenReviews(client, "claviger");

describe("a TokenReview", () => {
  test("sends the token and the audience, and names the user that the API server names", async () => {
    const bodies: Promise<string>[] = [];
    server.answer((call) => {
      bodies.push(call.body);
      expect(`${call.method} ${call.path}`).toBe("POST /apis/authentication.k8s.io/v1/tokenreviews");
      json({ status: { authenticated: true, audiences: ["claviger"], user: USER } }, 201)(call);
    });
    expect(await reviews().review("a.b.c")).toEqual({
      authenticated: true,
      user: USER.username,
      groups: USER.groups,
    });
    expect(JSON.parse((await bodies[0]) ?? "")).toMatchObject({
      kind: "TokenReview",
      spec: { token: "a.b.c", audiences: ["claviger"] },
    });
  });

  test.each([
    ["a token that is not valid", { authenticated: false, error: "token expired" }],
    ["a token for another audience", { authenticated: true, audiences: ["kubernetes"], user: USER }],
    ["an authenticator that did not compare audiences", { authenticated: true, user: USER }],
    ["no user", { authenticated: true, audiences: ["claviger"] }],
    ["no name", { authenticated: true, audiences: ["claviger"], user: { username: "" } }],
    ["a text in place of true", { authenticated: "true", audiences: ["claviger"], user: USER }],
    ["no status", undefined],
  ])("%s => not authenticated", async (_, status) => {
    server.answer(json({ status }, 201));
    expect(await reviews().review("a.b.c")).toEqual({ authenticated: false });
  });

  test("an API server that refuses the question => its error, which does not have the token", async () => {
    server.answer(json({ kind: "Status", message: "tokenreviews is forbidden" }, 403));
    const error = await reviews()
      .review("the-token")
      .catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ code: "ApiServer" });
    expect(String(error)).not.toContain("the-token");
  });
});
