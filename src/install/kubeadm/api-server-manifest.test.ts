import { describe, expect, test } from "vitest";
import { otherDifference, readApiServerManifest } from "./api-server-manifest.ts";

const manifest = ({
  flags = "",
  mounts = "",
  volumes = "",
  image = "kube-apiserver:v1.37.2",
} = {}) => `apiVersion: v1
kind: Pod
metadata: { name: kube-apiserver, namespace: kube-system }
spec:
  containers:
  - command:
    - kube-apiserver
    - --advertise-address=192.168.0.1
    - --secure-port=6444
${flags}    image: ${image}
    imagePullPolicy: IfNotPresent
    volumeMounts:
    - { mountPath: /etc/ssl/certs, name: ca-certs, readOnly: true }
${mounts}  volumes:
  - { name: ca-certs, hostPath: { path: /etc/ssl/certs, type: DirectoryOrCreate } }
${volumes}`;

const WITH = {
  flags:
    "    - --encryption-provider-config=/etc/kubernetes/enc/enc.yaml\n    - --encryption-provider-config-automatic-reload=true\n",
  mounts:
    "    - { mountPath: /etc/kubernetes/enc, name: enc, readOnly: true }\n    - { mountPath: /var/run/claviger, name: claviger }\n",
  volumes:
    "  - { name: enc, hostPath: { path: /etc/kubernetes/enc, type: Directory } }\n  - { name: claviger, hostPath: { path: /var/run/claviger, type: Directory } }\n",
};

test("a manifest of kubeadm => its address, and the flags and mounts of claviger", () => {
  expect(readApiServerManifest(manifest())).toEqual({
    address: "192.168.0.1",
    port: 6444,
    imagePullPolicy: "IfNotPresent",
    flags: new Map(),
    mounts: new Set(["/etc/ssl/certs"]),
  });
  const { flags, mounts } = readApiServerManifest(manifest(WITH));
  expect([...flags.keys()]).toEqual([
    "encryption-provider-config",
    "encryption-provider-config-automatic-reload",
  ]);
  expect(mounts).toContain("/var/run/claviger");
});

describe("the difference of two manifests", () => {
  test("is none if only claviger's part differs", () => {
    expect(otherDifference(manifest(), manifest(WITH))).toBeUndefined();
    expect(otherDifference(manifest(WITH), manifest())).toBeUndefined();
  });
  test.each([
    ["another image", { image: "kube-apiserver:v1.36.0" }, "container.image"],
    ["a flag more", { flags: "    - --audit-log-path=/x\n" }, "the flags --audit-log-path=/x"],
    ["a mount more", { mounts: "    - { mountPath: /x, name: x }\n" }, "volumeMounts"],
    ["a volume more", { volumes: "  - { name: x, hostPath: { path: /x } }\n" }, "volumes"],
  ])("names %s", (_, change, expected) => {
    expect(otherDifference(manifest(), manifest(change))).toContain(expected);
  });
});

test.each([
  ["is not YAML", "a: ["],
  ["is none that kubeadm made", "spec: { containers: [{ command: [sh, -c, kube-apiserver] }] }"],
  ["is none that kubeadm made", ""],
  ["names no --advertise-address", "spec: { containers: [{ command: [kube-apiserver] }] }"],
])("%s => is refused: %j", (what, text) => {
  expect(() => readApiServerManifest(text)).toThrow(`${what}: install claviger by hand`);
});
