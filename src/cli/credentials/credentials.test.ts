import { once } from "node:events";
import { createServer, type Server } from "node:http";
import { buffer } from "node:stream/consumers";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { assumeRoleAnswer, errorAnswer } from "../../aws/sts/sts-answers.ts";
import { StsError } from "../../aws/sts/sts-error.ts";
import { parseForm } from "../../aws/sts/sts-form.ts";
import { readStsRequest } from "../../aws/sts/sts-request.ts";
import { FakeApiServer, json } from "../../testing/fake-api-server.ts";
import { credentials } from "./credentials.ts";

const SESSION = {
  ...{ accessKeyId: "ASIA0123456789ABCDEF", secretAccessKey: "secret/+", sessionToken: "token==" },
  ...{ account: "000000000000", user: "system:serviceaccount:shop:web", sessionName: "claviger-credentials" },
  ...{ role: { namespace: "shop", name: "web" }, expiresAt: Date.parse("2027-01-02T03:04:05Z") },
};

let server: FakeApiServer;
let sts: Server;
let endpoint: string;
let refusal: StsError | undefined;
/** What the API server and STS were asked for. */
let asked: unknown[];
let printed: string;
beforeEach(async () => {
  [refusal, asked, printed] = [undefined, [], ""];
  server = await FakeApiServer.start();
  server.answer(async (call) => {
    asked.push([call.path, JSON.parse(await call.body).spec]);
    json({ status: { token: "a.e30.c" } }, 201)(call);
  });
  sts = createServer(async (request, response) => {
    asked.push(readStsRequest(parseForm(await buffer(request))));
    response.statusCode = refusal?.status ?? 200;
    response.end(refusal === undefined ? assumeRoleAnswer(SESSION, "r") : errorAnswer(refusal, "r"));
  });
  await once(sts.listen(0, "127.0.0.1"), "listening");
  const address = sts.address();
  endpoint = `http://127.0.0.1:${typeof address === "object" ? address?.port : ""}`;
  vi.spyOn(process.stdout, "write").mockImplementation((text) => {
    printed += text;
    return true;
  });
});
afterEach(async () => {
  vi.restoreAllMocks();
  sts.closeAllConnections();
  sts.close();
  await server.stop();
});

const run = (...more: readonly string[]) =>
  credentials.run(["shop/web", "--endpoint", endpoint, "--kubeconfig", server.kubeconfig, ...more]);

test("a ServiceAccount that the user may make tokens of => the JSON of a credential_process", async () => {
  await run();
  expect(JSON.parse(printed)).toEqual({
    ...{ Version: 1, AccessKeyId: SESSION.accessKeyId, SecretAccessKey: SESSION.secretAccessKey },
    ...{ SessionToken: SESSION.sessionToken, Expiration: "2027-01-02T03:04:05Z" },
  });
  expect(asked).toEqual([
    [
      "/api/v1/namespaces/shop/serviceaccounts/web/token",
      { audiences: ["kms.claviger.dev"], expirationSeconds: 3600 },
    ],
    expect.objectContaining({
      action: "AssumeRoleWithWebIdentity",
      roleArn: "arn:aws:iam::000000000000:role/shop/web",
      token: "a.e30.c",
    }),
  ]);
});

test("no session => nothing is printed, and the error says why, without the token", async () => {
  refusal = new StsError("AccessDenied", "Not authorized to perform sts:AssumeRoleWithWebIdentity");
  await expect(run("--account", "111111111111")).rejects.toThrow(
    `the AWS KMS API at ${endpoint} gives no session for arn:aws:iam::111111111111:role/shop/web: AccessDenied: Not authorized to perform sts:AssumeRoleWithWebIdentity`,
  );
  expect(printed).toBe("");
});

test.each([
  ["http://kms.example.com", /https:\/\/, or http:\/\/ on loopback/],
  ["kms.example.com", /takes a URL/],
  ["", /--endpoint URL is needed/],
])("the endpoint %j is refused before a token is made", async (address, message) => {
  await expect(run("--endpoint", address)).rejects.toThrow(message);
  expect(asked).toEqual([]);
});
