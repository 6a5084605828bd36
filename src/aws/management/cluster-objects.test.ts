import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { KubeClient } from "../../kube/client.ts";
import type { MasterKey } from "../../resources/resources.ts";
import { ALICE } from "../../testing/aws-keyring.ts";
import { FakeApiServer, json } from "../../testing/fake-api-server.ts";
import { ClusterObjects } from "./cluster-objects.ts";

let server: FakeApiServer;
let client: KubeClient;
let objects: ClusterObjects;
beforeAll(async () => {
  server = await FakeApiServer.start();
  client = new KubeClient(server.kubeconfig);
  objects = new ClusterObjects(client);
});
afterAll(async () => {
  client.close();
  await server.stop();
});

const ORDERS = { namespace: "apps", name: "orders" };
const PATH = "/apis/kms.claviger.dev/v1alpha1/namespaces/apps/masterkeys";
const masterKey = {
  ...{ apiVersion: "kms.claviger.dev/v1alpha1", kind: "MasterKey", spec: { enabled: true } },
  metadata: { ...ORDERS, uid: "uid-1", resourceVersion: "7", generation: 1, creationTimestamp: "" },
} as unknown as MasterKey;

/** Answers the next calls, and returns what was asked: the call, as whom, and its body. */
function answering(status = 200, body: object = masterKey): (readonly [string, unknown, unknown, string])[] {
  const seen: (readonly [string, unknown, unknown, string])[] = [];
  server.answer((call) => {
    const { headers } = call.response.req;
    void call.body.then((sent) => {
      seen.push([
        `${call.method} ${call.path}`,
        headers["impersonate-user"],
        headers["impersonate-group"],
        sent,
      ]);
      json(body, status)(call);
    });
  });
  return seen;
}

describe("the API server's custom resources", () => {
  it("are read as the process itself", async () => {
    const seen = answering();
    expect(await objects.read("MasterKey", ORDERS)).toMatchObject({ metadata: { uid: "uid-1" } });
    expect(seen).toEqual([[`GET ${PATH}/orders`, undefined, undefined, ""]]);
  });
  it("that are not there => undefined", async () => {
    answering(404, { kind: "Status", message: "not found" });
    expect(await objects.read("MasterKey", ORDERS)).toBeUndefined();
  });
  it("are written as the caller, and a change names the object as it was read", async () => {
    const seen = answering();
    const caller = { ...ALICE, groups: ["shop", "system:authenticated", "a,b"] };
    await objects.create(caller, "MasterKey", ORDERS, { description: "x" });
    await objects.change(caller, masterKey, { enabled: false });
    await objects.remove(caller, masterKey);
    const asCaller = ["alice", "shop, a,b"];
    expect(seen.map(([call, ...as]) => [call, ...as.slice(0, 2)])).toEqual([
      [`POST ${PATH}`, ...asCaller],
      [`PATCH ${PATH}/orders`, ...asCaller],
      [`DELETE ${PATH}/orders`, ...asCaller],
    ]);
    expect(seen.map(([, , , body]) => JSON.parse(body))).toMatchObject([
      { kind: "MasterKey", metadata: ORDERS, spec: { description: "x" } },
      { metadata: { uid: "uid-1", resourceVersion: "7" }, spec: { enabled: false } },
      { preconditions: { uid: "uid-1", resourceVersion: "7" } },
    ]);
  });
  it("are written as a ServiceAccount without groups: the API server knows them, and limits this impersonation", async () => {
    const seen = answering();
    const user = "system:serviceaccount:apps:shop";
    await objects.change({ ...ALICE, user, groups: ["system:masters"] }, masterKey, {});
    expect(seen).toEqual([[`PATCH ${PATH}/orders`, user, undefined, expect.any(String)]]);
  });
  it.each(["", " admin", "admin ", "admin\r\nx: y", "admin\u0000", "ädmin", "x".repeat(1025)])(
    "are never written as %j: the API server would read another name",
    async (user) => {
      const seen = answering();
      const refused = { type: "AccessDeniedException" };
      await expect(objects.change({ ...ALICE, user }, masterKey, {})).rejects.toMatchObject(refused);
      await expect(
        objects.change({ ...ALICE, groups: [`shop${user}`, user] }, masterKey, {}),
      ).rejects.toMatchObject(refused);
      expect(seen).toEqual([]);
    },
  );
});

describe("a refusal of the API server", () => {
  const refusal = (status: number, message = "the\nreason") => answering(status, { kind: "Status", message });

  it.each([
    [403, { type: "AccessDeniedException", message: expect.stringContaining("the\\u000areason") }],
    [422, { type: "ValidationException" }],
    [404, { code: "Conflict" }],
    [409, { code: "Conflict" }],
    [500, { code: "ApiServer" }],
  ])("HTTP %d to a change => %j", async (status, error) => {
    refusal(status);
    await expect(objects.change(ALICE, masterKey, {})).rejects.toMatchObject(error);
  });
  it("of a member of system:masters names the way out: the API server lets nobody act as one", async () => {
    refusal(403);
    const caller = { ...ALICE, groups: ["system:masters"] };
    await expect(objects.change(caller, masterKey, {})).rejects.toMatchObject({
      type: "AccessDeniedException",
      message: expect.stringMatching(/give the credential another group/),
    });
  });
  it.each([
    [409, { type: "AlreadyExistsException" }],
    [404, { type: "NotFoundException" }],
    [403, { type: "AccessDeniedException" }],
  ])("HTTP %d to a creation => %j", async (status, error) => {
    refusal(status);
    await expect(objects.create(ALICE, "MasterKey", ORDERS, {})).rejects.toMatchObject(error);
  });
});
