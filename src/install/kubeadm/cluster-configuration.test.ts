import { describe, expect, test } from "vitest";
import { parse } from "yaml";
import {
  endpointOf,
  factsOf,
  kubeadmFile,
  missingIn,
  withEncryption,
  withEndpoint,
  withoutEncryption,
} from "./cluster-configuration.ts";

const configuration = (version: string, apiServer: string) => `apiServer: ${apiServer}
apiVersion: kubeadm.k8s.io/${version}
# somebody's comment
clusterName: kubernetes
kind: ClusterConfiguration
`;

const OTHERS = {
  v1beta4:
    "{ extraArgs: [{ name: audit-log-path, value: /var/log/audit }], extraVolumes: [{ name: audit, hostPath: /var/log, mountPath: /var/log }] }",
  v1beta3:
    "{ extraArgs: { audit-log-path: /var/log/audit }, extraVolumes: [{ name: audit, hostPath: /var/log, mountPath: /var/log }] }",
};

describe.each(["v1beta3", "v1beta4"] as const)("kubeadm.k8s.io/%s", (version) => {
  test.each([
    ["an empty API server", "{}"],
    ["an API server without a value", ""],
    ["an API server with flags and volumes of its own", OTHERS[version]],
  ])("%s => has what claviger needs, and everything that it had", (_, apiServer) => {
    const before = configuration(version, apiServer);
    const after = withEncryption(before);
    expect(missingIn(factsOf(before))).toHaveLength(4);
    expect(missingIn(factsOf(after))).toEqual([]);
    expect(after).toContain("# somebody's comment");
    if (apiServer === OTHERS[version]) expect(after).toContain("audit-log-path");
    expect(withEncryption(after)).toBe(after);
  });

  test("what was added is removed again, and nothing else", () => {
    const before = configuration(version, OTHERS[version]);
    const restored = parse(withoutEncryption(withEncryption(before)));
    expect(restored).toEqual(parse(before));
  });

  test("a flag of another value is reported as missing, and is replaced", () => {
    const args = {
      v1beta4: '[{ name: encryption-provider-config, value: "/other" }]',
      v1beta3: '{ encryption-provider-config: "/other" }',
    };
    const before = configuration(version, `{ extraArgs: ${args[version]} }`);
    expect(missingIn(factsOf(before))).toContain("--encryption-provider-config=/etc/kubernetes/enc/enc.yaml");
    const flags = parse(withEncryption(before)).apiServer.extraArgs;
    expect(JSON.stringify(flags)).not.toContain("/other");
  });

  test("a flag of another value is not removed", () => {
    const args = {
      v1beta4: '[{ name: encryption-provider-config, value: "/other" }]',
      v1beta3: '{ encryption-provider-config: "/other" }',
    };
    expect(withoutEncryption(configuration(version, `{ extraArgs: ${args[version]} }`))).toContain("/other");
  });

  test("nothing of claviger to remove => the text as it is, in kubeadm's own layout of lists too", () => {
    const layout = "\n  extraVolumes:\n  - hostPath:   /var/log\n    mountPath: /var/log\n    name: audit";
    for (const apiServer of [layout, "{}", "{ extraVolumes: [] }"]) {
      const text = configuration(version, apiServer);
      expect(withoutEncryption(text)).toBe(text);
    }
  });

  test("the file for kubeadm has the cluster, and the API server of this node in the same version", () => {
    const text = kubeadmFile(configuration(version, "{}"), {
      address: "10.0.0.1",
      port: 6443,
    });
    const [cluster = "", init = ""] = text.split("---\n");
    expect(parse(cluster).kind).toBe("ClusterConfiguration");
    expect(parse(init)).toEqual({
      apiVersion: `kubeadm.k8s.io/${version}`,
      kind: "InitConfiguration",
      localAPIEndpoint: { advertiseAddress: "10.0.0.1", bindPort: 6443 },
    });
  });
});

test("the address of the API servers is read, replaced and removed", () => {
  const text = withEndpoint(configuration("v1beta4", "{}"), "lb:6443");
  expect(endpointOf(text)).toBe("lb:6443");
  expect(endpointOf(withEndpoint(text, undefined))).toBeUndefined();
});

test.each(["", "{", "a: [", "apiVersion: kubeadm.k8s.io/v1beta2\nkind: ClusterConfiguration\n", "- a list"])(
  "%j => is refused, because nobody knows its fields",
  (text) => {
    expect(() => withEncryption(text)).toThrow("install claviger by hand");
  },
);
