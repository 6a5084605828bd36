import { describe, expect, test } from "vitest";
import type { KeyServer } from "../resources/resources.ts";
import { keyServer } from "../testing/objects.ts";
import { packagedText } from "./objects/packaged.ts";
import { nodesThatDoNotRead, readsSecrets, writesSecrets } from "./reading.ts";
import { decideApi, type ObservedApi } from "./steps/api-step.ts";
import { decidePods } from "./steps/pods-step.ts";
import { troublesOf } from "./steps/running-step.ts";
import { decideNobodyWrites, decideRewrite } from "./undo/plain-steps.ts";
import { decideNobodyReads } from "./undo/removal-steps.ts";

type Status = NonNullable<KeyServer["status"]>;
type Provider = NonNullable<Status["providers"]>[number];
type Said = NonNullable<NonNullable<Status["apiServer"]>["encryptionConfig"]>;

const WRITER = { entries: 1, reads: ["secrets"], resources: ["secrets"] } as const;
const READER = { entries: 1, reads: ["secrets"], resources: [] } as const;
const server = (said: Said, provider: Partial<Provider>, name = "cp-1"): KeyServer =>
  keyServer(name, {
    apiServer: { id: `apiserver-${name}`, encryptionConfig: said },
    providers: [{ name: "secrets", socket: "/s", serves: "a/b", ...provider } as Provider],
  });

describe("an API server reads under claviger", () => {
  test.each<[string, KeyServer, boolean]>([
    ["says that it uses the file => yes", server("Loaded", READER), true],
    ["uses another file => no", server("NotLoaded", READER), false],
    ["has no file => no", server("NotConfigured", READER), false],
    ["uses a file without claviger => no", server("Loaded", { entries: 0 }), false],
    [
      "is older than 1.34 and asks the plugin => yes",
      server("Unknown", { ...READER, lastStatusTime: "2026-11-30T12:00:00Z" }),
      true,
    ],
    ["is older than 1.34 and asks nobody => no", server("Unknown", READER), false],
    [
      "is older than 1.34 and has stopped to ask => no",
      server("Unknown", {
        ...READER,
        lastStatusTime: "2026-11-30T12:00:00Z",
        notAskedSince: "2026-11-30T12:00:00Z",
      }),
      false,
    ],
  ])("%s", (_, given, expected) => {
    expect(readsSecrets(given)).toBe(expected);
  });
  test("and writes only if claviger is first in the file that it uses", () => {
    expect(writesSecrets(server("Loaded", WRITER))).toBe(true);
    expect(writesSecrets(server("Loaded", READER))).toBe(false);
    expect(writesSecrets(server("NotLoaded", WRITER))).toBe(false);
    expect(writesSecrets(server("Loaded", { ...WRITER, editNotTakenUp: "2026-11-30T12:00:00Z" }))).toBe(
      false,
    );
  });
});

describe("the nodes that do not read", () => {
  const facts = { masterKey: undefined, keyVersions: 0, keyServers: [server("Loaded", READER)] };
  test("are those with a Lease and no KeyServer that reads", () => {
    const apiServers = [
      { id: "apiserver-cp-1", hostname: "cp-1" },
      { id: "apiserver-other", hostname: "cp-2" },
    ];
    expect(nodesThatDoNotRead({ ...facts, apiServers, controlPlane: ["cp-1"] })).toEqual(["cp-2"]);
  });
  test("are those of the control plane whose API server is down for a moment, too", () => {
    expect(nodesThatDoNotRead({ ...facts, apiServers: [], controlPlane: ["cp-1", "cp-3"] })).toEqual([
      "cp-3",
    ]);
  });
});

describe("before Secrets are written back", () => {
  test.each<[string, KeyServer, string]>([
    [
      "an API server that writes plain by the file that it uses => continue",
      server("Loaded", READER),
      "done",
    ],
    ["an API server that writes under claviger => wait for a person", server("Loaded", WRITER), "blocked"],
    [
      "an API server that has not reloaded the file => wait for a person",
      server("NotLoaded", READER),
      "blocked",
    ],
    [
      "an API server that does not say which file it uses => wait for a person",
      server("Unknown", READER),
      "blocked",
    ],
    ["an API server without a file => continue", server("NotConfigured", READER), "done"],
  ])("%s", (_, given, kind) => {
    expect(decideNobodyWrites([given]).kind).toBe(kind);
  });

  const row = (resource: string, kind: "plain" | "kms-v2") => ({
    resource,
    stored: kind === "plain" ? { kind } : { kind, provider: "secrets", keyId: "id" },
    objects: 2,
    examples: [],
  });
  test.each([
    ["only plain values => done", [row("secrets", "plain")], 0, "done"],
    ["Secrets under claviger => are written back", [row("secrets", "kms-v2")], 0, "act"],
    ["other resources under claviger => a person moves them out", [row("pods", "kms-v2")], 0, "blocked"],
    ["objects that could not be counted => prove nothing", [], 1, "blocked"],
  ] as const)("%s", (_, rows, unlisted, kind) => {
    expect(decideRewrite({ rows, objects: 2, unlisted }).kind).toBe(kind);
  });
});

describe("before a key is deleted", () => {
  const ended = { entries: 0, notAskedSince: "2026-11-30T12:00:00Z" };
  test.each<[string, KeyServer[], string]>([
    ["no entry, and nobody asks => continue", [server("NotConfigured", ended)], "done"],
    ["no node at all => continue", [], "done"],
    ["no entry, and somebody asked a minute ago => wait", [server("NotConfigured", { entries: 0 })], "wait"],
    ["a report without providers => proves nothing", [keyServer("cp-1", {})], "wait"],
    ["another node has an entry => a person runs init there", [server("Loaded", READER, "cp-2")], "blocked"],
    [
      "an edit that was not taken up => wait",
      [server("NotLoaded", { ...ended, editNotTakenUp: "t" })],
      "wait",
    ],
  ])("%s", (_, servers, kind) => {
    expect(decideNobodyReads(servers, "cp-1").kind).toBe(kind);
  });
});

describe("the static pods", () => {
  const pod = "spec:\n  containers:\n    - name: plugin\n      image: claviger:0.1.0\n";
  const file = { path: "/etc/kubernetes/manifests/claviger-plugin.yaml", wanted: pod };
  test.each([
    ["that are missing => are written", undefined, undefined, pod],
    [
      "that are missing, with an image => are written with it",
      undefined,
      "r/c:1",
      pod.replace("claviger:0.1.0", "r/c:1"),
    ],
    ["that were edited => stay", "image: mine\n", undefined, undefined],
    [
      "that were edited, with another image => get that image only",
      "# a\nimage: mine\n",
      "r/c:1",
      "# a\nimage: r/c:1\n",
    ],
  ])("%s", (_, before, image, after) => {
    const plan = decidePods([{ ...file, before }], image);
    expect(plan.kind === "act" ? plan.changes : []).toEqual(
      after === undefined ? [] : [{ kind: "file", path: file.path, mode: 0o600, before, after }],
    );
  });
});

describe("the static pod of the AWS KMS API", () => {
  const tls = { cert: "/etc/claviger/tls.crt", key: "/etc/claviger/tls.key" };
  const api = {
    ...{ listen: "0.0.0.0:8443", namespace: "default", tls },
    kubeconfig: "/etc/claviger/api.kubeconfig",
  };
  const before = packagedText("deploy/static-pod-api.yaml");
  const observed = { api, missing: [], before, pod: undefined, image: undefined };
  const ready = { status: { conditions: [{ type: "Ready", status: "True" }] } };
  test.each<[string, Partial<ObservedApi>, RegExp]>([
    ["no aws.listen => stops", { api: undefined }, /^blocked: .*has no aws.listen/],
    [
      "a kubeconfig that init does not make => stops",
      { api: { ...api, kubeconfig: "/root/k" } },
      /^blocked: aws.kubeconfig .* is not \/etc\/claviger\/api.kubeconfig/,
    ],
    [
      "a certificate that is mounted from a Secret => stops",
      { api: { ...api, tls: { ...tls, cert: "/etc/claviger-tls/tls.crt" } } },
      /^blocked: .*does not have: \/etc\/claviger-tls\/tls.crt$/,
    ],
    ["no file => is written", { before: undefined }, /^act: write .*claviger-api.yaml/],
    ["a pod that is not ready => waits", {}, /^wait: it is not ready/],
    ["a pod that is ready => done", { pod: ready }, /^done: .*claviger-api.yaml is there/],
  ])("%s", (_, changed, expected) => {
    const { kind, text } = decideApi({ ...observed, ...changed });
    expect(`${kind}: ${text}`).toMatch(expected);
  });
});

test("a container that cannot start => its reason is shown, such as an image that is not on the node", () => {
  const state = { waiting: { reason: "ErrImagePull", message: "no such host" } };
  const pod = { status: { containerStatuses: [{ name: "plugin", image: "claviger:0.1.0", state }] } };
  expect(troublesOf(pod)).toEqual([
    "container plugin with image claviger:0.1.0 waits: ErrImagePull (no such host)",
  ]);
  expect([undefined, {}, { status: { containerStatuses: "x" } }].flatMap(troublesOf)).toEqual([]);
});
