import { execFileSync } from "node:child_process";
import { join } from "node:path";
import { expect, test } from "vitest";
import { parse } from "yaml";
import { parseConfig } from "../../src/config/config.ts";
import { encryptionConfiguration } from "../../src/storage/encryption-config/print.ts";
import { read, testedBlock } from "../docs/markdown.ts";
import { withClaviger } from "./api-server.ts";

/** kind itself needs Docker; these are the parts of its script that do not. */
const sh = (script: string, argument: string): string =>
  execFileSync("sh", [join(import.meta.dirname, script), argument], { encoding: "utf8" });

const BY_HAND = "docs/install/by-hand.md";
const MANIFEST = `
apiVersion: v1
kind: Pod
spec:
  containers:
    - command: [kube-apiserver, --advertise-address=10.0.0.1]
      volumeMounts: [{ name: ca-certs, mountPath: /etc/ssl/certs, readOnly: true }]
  volumes: [{ name: ca-certs, hostPath: { path: /etc/ssl/certs, type: DirectoryOrCreate } }]
`;

test("the EncryptionConfiguration for kind is that of the installation by hand, with identity first until all can read", () => {
  const [provider] = parseConfig(read("deploy/claviger.yaml"), "/etc/claviger/claviger.yaml").providers;
  if (provider === undefined) throw new Error("deploy/claviger.yaml has no provider");
  expect(sh("encryption.sh", "kms")).toBe(encryptionConfiguration(provider));
  const [, secrets] = parse(sh("encryption.sh", "identity")).resources;
  expect(secrets.providers.map((entry: object) => Object.keys(entry)[0])).toEqual(["identity", "kms"]);
});

test("the API server of kind gets the flags and mounts of the installation by hand, once", () => {
  const [shown] = parse(testedBlock(BY_HAND, "api server")).spec.containers;
  const [container] = parse(withClaviger(MANIFEST)).spec.containers;
  expect(container.command.slice(0, 2)).toEqual(["kube-apiserver", "--advertise-address=10.0.0.1"]);
  expect(container.command).toEqual(expect.arrayContaining(shown.command));
  expect(container.volumeMounts).toEqual(expect.arrayContaining(shown.volumeMounts));
  expect(withClaviger(withClaviger(MANIFEST))).toBe(withClaviger(MANIFEST));
});

test("kind's configuration has as many control-plane nodes as were asked for", () => {
  const { apiVersion, nodes } = parse(sh("config.sh", "3"));
  expect({ apiVersion, nodes }).toEqual({
    apiVersion: "kind.x-k8s.io/v1alpha4",
    nodes: Array.from({ length: 3 }, () => ({ role: "control-plane" })),
  });
});
