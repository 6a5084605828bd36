import { expect, test } from "vitest";
import { parseConfig } from "./config.ts";

const parse = (aws: string, resources = "manifests: ./keys") =>
  parseConfig(
    `
apiVersion: config.claviger.dev/v1alpha1
kind: NodeConfig
nodeName: cp-1
stateDir: ./state
seal: { file: { path: ./root.key } }
${resources}
${aws}
`,
    "/etc/claviger/claviger.yaml",
  );

test("without aws.listen there is no API, and the keys have the default account and region", () => {
  expect(parse("")).toMatchObject({ account: "000000000000", region: "us-local-1", isRegionDefault: true });
  expect(parse("aws: { region: eu-west-1 }").api).toBeUndefined();
});

test("an API on loopback needs credentials only", () => {
  expect(parse('aws: { listen: "127.0.0.1:8443", credentials: c.yaml }').api).toEqual({
    listen: "127.0.0.1:8443",
    namespace: "default",
    credentials: "/etc/claviger/c.yaml",
  });
});

test("everything there is => is taken", () => {
  const aws =
    'aws: { listen: "0.0.0.0:443", workers: 2, namespace: apps, credentials: /c, tls: { cert: a, key: b }, region: eu-west-1, account: "123456789012" }';
  expect(parse(aws)).toMatchObject({
    account: "123456789012",
    region: "eu-west-1",
    isRegionDefault: false,
    api: {
      listen: "0.0.0.0:443",
      workers: 2,
      namespace: "apps",
      credentials: "/c",
      tls: { cert: "/etc/claviger/a", key: "/etc/claviger/b" },
    },
  });
});

test("an API with sessions needs no file of credentials", () => {
  const parsed = (sessions: string) =>
    parse(
      `aws: { listen: "127.0.0.1:443", kubeconfig: api.kubeconfig, sessions: ${sessions} }`,
      "kubeconfig: k",
    ).api;
  expect(parsed("{ key: claviger-system/aws-sessions }")).toEqual({
    listen: "127.0.0.1:443",
    namespace: "default",
    kubeconfig: "/etc/claviger/api.kubeconfig",
    sessions: { key: { namespace: "claviger-system", name: "aws-sessions" }, audience: "kms.claviger.dev" },
  });
  expect(parsed("{ key: a/b, audience: sts.amazonaws.com }")?.sessions?.audience).toBe("sts.amazonaws.com");
});

test.each(["./operator.kubeconfig", "/etc/claviger/rewriter.kubeconfig"])(
  "an API with the kubeconfig %s of a user who may do more is refused",
  (kubeconfig) => {
    const others = "kubeconfig: operator.kubeconfig\nrewriter: { kubeconfig: rewriter.kubeconfig }";
    expect(() =>
      parse(`aws: { listen: "127.0.0.1:443", credentials: c, kubeconfig: ${kubeconfig} }`, others),
    ).toThrow("aws.kubeconfig must be a file of its own, of a user in the group claviger:api");
  },
);

test.each([
  [
    '{ listen: "127.0.0.1:443", credentials: c, kubeconfig: k }',
    "aws.kubeconfig goes with kubeconfig: standalone there is no API server to ask",
  ],
  [
    '{ listen: "0.0.0.0:443", credentials: c }',
    "aws.listen must be on loopback, or have tls: plaintext keys",
  ],
  ['{ listen: "127.0.0.1:443" }', "aws.credentials is missing"],
  ["{ credentials: c }", "aws.credentials goes with aws.listen"],
  ["{ kubeconfig: k }", "aws.kubeconfig goes with aws.listen"],
  [
    '{ listen: "127.0.0.1:443", sessions: { key: a/b } }',
    "aws.sessions goes with aws.kubeconfig: the API server is asked whose token it is",
  ],
  ['{ listen: "127.0.0.1:443", kubeconfig: k, sessions: {} }', "aws.sessions.key is missing"],
  ["{ workers: 2 }", "aws.workers goes with aws.listen"],
  [
    '{ listen: "127.0.0.1:443", credentials: c, workers: 0 }',
    "aws.workers must be a whole number from 1 to 64",
  ],
  ['{ listen: "127.0.0.1:443", credentials: c, namespace: A }', "aws.namespace must match"],
])("aws: %s is refused", (aws, message) => {
  expect(() => parse(`aws: ${aws}`)).toThrow(message);
});
