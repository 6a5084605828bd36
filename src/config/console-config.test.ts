import { expect, test } from "vitest";
import { parseConfig } from "./config.ts";

const parse = (console: string, resources = "kubeconfig: ./kubeconfig") =>
  parseConfig(
    `
apiVersion: config.claviger.dev/v1alpha1
kind: NodeConfig
nodeName: cp-1
stateDir: ./state
seal: { file: { path: ./root.key } }
providers: [{ name: secrets, socket: ./secrets.sock, key: claviger-system/secrets }]
${resources}
${console}
`,
    "/etc/claviger/claviger.yaml",
  ).console;

test("without a section there is no console", () => {
  expect(parse("")).toBeUndefined();
});

test.each(["127.0.0.1:9442", "localhost:1", "[::1]:65535"])("%s needs no certificate", (listen) => {
  expect(parse(`console: { listen: "${listen}" }`)).toEqual({ listen });
});

test("an address that others reach has a certificate and a key", () => {
  const tls = "tls: { cert: tls.crt, key: /keys/tls.key }";
  expect(parse(`console: { listen: "0.0.0.0:9442", ${tls} }`)).toEqual({
    listen: "0.0.0.0:9442",
    tls: { cert: "/etc/claviger/tls.crt", key: "/keys/tls.key" },
  });
});

test.each([
  ["0.0.0.0:9442", "console.listen must be on loopback, or have tls"],
  ["10.0.0.1:9442", "console.listen must be on loopback, or have tls"],
  ["127.0.0.1.example.org:9442", "console.listen must be on loopback, or have tls"],
  ["127.0.0.1:0", "console.listen must have a port from 1 to 65535"],
  ["127.0.0.1:65536", "console.listen must have a port from 1 to 65535"],
  ["127.0.0.1", "console.listen must match"],
  [":9442", "console.listen must match"],
])("%s is refused", (listen, message) => {
  expect(() => parse(`console: { listen: "${listen}" }`)).toThrow(message);
});

test("a certificate without a key is refused", () => {
  expect(() => parse('console: { listen: "0.0.0.0:1", tls: { cert: a } }')).toThrow(
    "console.tls.key is missing",
  );
});

test("standalone there is no API server that knows a token", () => {
  expect(() => parse('console: { listen: "127.0.0.1:1" }', "manifests: ./keys")).toThrow(
    /console goes with kubeconfig/,
  );
});
