import { describe, expect, test } from "vitest";
import { parse } from "yaml";
import {
  manifestWithEncryption,
  manifestWithoutEncryption,
  readApiServerManifest,
} from "./api-server-manifest.ts";

/** As kubeadm 1.37 renders it. */
const MANIFEST = `apiVersion: v1
kind: Pod
metadata:
  annotations:
    kubeadm.kubernetes.io/kube-apiserver.advertise-address.endpoint: 192.168.0.1:6444
  name: kube-apiserver
  namespace: kube-system
spec:
  containers:
  - command:
    - kube-apiserver
    - --advertise-address=192.168.0.1
    - --enable-admission-plugins=NodeRestriction
    - --etcd-servers=https://127.0.0.1:2379
    - --secure-port=6444
    image: registry.k8s.io/kube-apiserver:v1.37.2
    startupProbe:
      failureThreshold: 90
    volumeMounts:
    - mountPath: /etc/ssl/certs
      name: ca-certs
      readOnly: true
    - mountPath: /etc/kubernetes/pki
      name: k8s-certs
      readOnly: true
  volumes:
  - hostPath:
      path: /etc/ssl/certs
      type: DirectoryOrCreate
    name: ca-certs
  - hostPath:
      path: /etc/kubernetes/pki
      type: DirectoryOrCreate
    name: k8s-certs
status: {}
`;

/** As kubeadm renders it with claviger's flags and volumes in its configuration. */
const WITH = MANIFEST.replace(
  "    - --secure-port=6444\n",
  `    - --secure-port=6444
    - --encryption-provider-config=/etc/kubernetes/enc/enc.yaml
    - --encryption-provider-config-automatic-reload=true
`,
)
  .replace(
    "    - mountPath: /etc/kubernetes/pki\n",
    `    - mountPath: /var/run/claviger
      name: claviger
    - mountPath: /etc/kubernetes/enc
      name: enc
      readOnly: true
    - mountPath: /etc/kubernetes/pki
`,
  )
  .replace(
    "  - hostPath:\n      path: /etc/kubernetes/pki\n",
    `  - hostPath:
      path: /var/run/claviger
      type: Directory
    name: claviger
  - hostPath:
      path: /etc/kubernetes/enc
      type: Directory
    name: enc
  - hostPath:
      path: /etc/kubernetes/pki
`,
  );

test("a manifest of kubeadm => its address, and the flags and mounts of claviger", () => {
  expect(readApiServerManifest(MANIFEST)).toEqual({
    address: "192.168.0.1",
    port: 6444,
    flags: new Map(),
    mounts: new Set(["/etc/ssl/certs", "/etc/kubernetes/pki"]),
  });
  const { flags, mounts } = readApiServerManifest(WITH);
  expect([...flags.keys()].sort()).toEqual([
    "encryption-provider-config",
    "encryption-provider-config-automatic-reload",
  ]);
  expect(mounts).toContain("/var/run/claviger");
});

describe("claviger's part of a manifest", () => {
  test("is added at kubeadm's own places, and every other byte stays", () => {
    expect(manifestWithEncryption(MANIFEST)).toBe(WITH);
  });
  test("is added once", () => {
    expect(manifestWithEncryption(WITH)).toBe(WITH);
  });
  test("is completed", () => {
    const half = WITH.replace("    - --encryption-provider-config-automatic-reload=true\n", "");
    expect(manifestWithEncryption(half)).toBe(WITH);
  });
  test("is removed, and every other byte stays", () => {
    expect(manifestWithoutEncryption(WITH)).toBe(MANIFEST);
    expect(manifestWithoutEncryption(MANIFEST)).toBe(MANIFEST);
  });
  test("is added to a pod that has no volumes", () => {
    const bare = "spec: { containers: [{ command: [kube-apiserver, --advertise-address=10.0.0.1] }] }";
    const { spec } = parse(manifestWithEncryption(bare));
    expect(spec.volumes).toHaveLength(2);
    expect(spec.containers[0].volumeMounts).toHaveLength(2);
    expect(parse(manifestWithoutEncryption(manifestWithEncryption(bare)))).toEqual(parse(bare));
  });
  test("a flag of somebody's own stays when claviger's part is removed", () => {
    const other = WITH.replace("/etc/kubernetes/enc/enc.yaml", "/etc/other.yaml");
    expect(manifestWithoutEncryption(other)).toContain("--encryption-provider-config=/etc/other.yaml");
  });
});

test.each([
  ["is not YAML of a pod", "a: ["],
  ["is none that kubeadm made", "spec: { containers: [{ command: [sh, -c, kube-apiserver] }] }"],
  ["is not YAML of a pod", ""],
  ["names no --advertise-address", "spec: { containers: [{ command: [kube-apiserver] }] }"],
])("%s => is refused: %j", (what, text) => {
  expect(() => readApiServerManifest(text)).toThrow(`${what}: install claviger by hand`);
});
