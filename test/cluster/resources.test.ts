import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { KEY_SPECS, KEY_USAGES, mayHaveUsage } from "../../src/crypto/key-specs.ts";
import { KeyringReader } from "../../src/keyring/reader.ts";
import { controlPlaneBinaries } from "../controlplane/binaries.ts";
import { eventually } from "../controlplane/wait.ts";
import { applyKey, type Cluster, startCluster } from "./cluster.ts";

const binaries = await controlPlaneBinaries();
const EXAMPLES = join(import.meta.dirname, "..", "..", "examples");

describe.skipIf(binaries === undefined)("resources applied with kubectl", () => {
  let cluster: Cluster;

  beforeAll(async () => {
    cluster = await startCluster();
    await applyKey(cluster);
    await cluster.kubectl(["create", "namespace", "payments"]);
  });
  afterAll(() => cluster?.stop());

  const apply = (kind: string, name: string, spec: object) =>
    cluster.plane.kubectl(["apply", "-f", "-"], {
      stdin: JSON.stringify({
        apiVersion: "kms.claviger.dev/v1alpha1",
        kind,
        metadata: { namespace: "payments", name },
        spec,
      }),
    });
  const becomesReady = (resource: string) =>
    cluster.kubectl(["wait", "--for=condition=Ready", "--timeout=120s", "-n", "payments", resource]);
  const get = (resource: string, jsonpath: string) =>
    cluster.kubectl(["get", "-n", "payments", resource, "-o", `jsonpath=${jsonpath}`]);
  const readiness = (resource: string) =>
    get(
      resource,
      '{.status.conditions[?(@.type=="Ready")].reason} {.status.conditions[?(@.type=="Ready")].message}',
    );

  it.each(["keys", "application-keys"])("every example of %s becomes Ready", async (folder) => {
    const examples = join(EXAMPLES, folder);
    const files = await readdir(examples);
    expect(files.length).toBeGreaterThan(0);
    await cluster.kubectl(["apply", "-f", examples]);
    await cluster.kubectl(["wait", "--for=condition=Ready", "--timeout=120s", "-f", examples]);
  });

  it("every key spec is admitted for its usages, and for no other", async () => {
    const pairs = KEY_SPECS.flatMap((keySpec) => KEY_USAGES.map((keyUsage) => ({ keySpec, keyUsage })));
    const items = pairs.map((spec, at) => ({
      apiVersion: "kms.claviger.dev/v1alpha1",
      kind: "MasterKey",
      metadata: { namespace: "payments", name: `pair-${at}` },
      spec,
    }));
    const args = ["apply", "--dry-run=server", "-f", "-"];
    const stdin = JSON.stringify({ apiVersion: "v1", kind: "List", items });
    const { stdout, stderr } = await cluster.plane.kubectl(args, { stdin });
    const admitted = [...stdout.matchAll(/pair-(\d+) created/g)].map(([, at]) => pairs[Number(at)]);
    expect(admitted).toEqual(pairs.filter(({ keySpec, keyUsage }) => mayHaveUsage(keySpec, keyUsage)));
    expect(stderr.match(/keyUsage does not fit keySpec/g)).toHaveLength(pairs.length - admitted.length);
  });

  it("a MasterKey with an empty spec is a symmetric key", async () => {
    expect((await apply("MasterKey", "empty", {})).stderr).toBe("");
    await becomesReady("masterkey/empty");
    expect(await get("masterkey/empty", "{.spec.keySpec} {.spec.keyUsage} {.spec.enabled}")).toBe(
      "SYMMETRIC_DEFAULT ENCRYPT_DECRYPT true",
    );
    expect(await get("masterkey/empty", "{.status.keyState}")).toBe("Enabled");
  });

  it("a MasterKey without any spec is one too", async () => {
    const stdin = JSON.stringify({
      apiVersion: "kms.claviger.dev/v1alpha1",
      kind: "MasterKey",
      metadata: { namespace: "payments", name: "bare" },
    });
    await cluster.kubectl(["apply", "-f", "-"], stdin);
    await becomesReady("masterkey/bare");
  });

  const rotating = (window: object) => ({ rotation: { enabled: true, window } });

  it.each([
    rotating({ schedule: "*/15 0-4,22 ? JAN-mar MON#1", timeZone: "America/Argentina/Buenos_Aires" }),
    rotating({ schedule: "0  2 L * +5", timeZone: "Etc/GMT+5" }),
    { origin: "EXTERNAL", rotation: { enabled: false } },
  ])("%j is admitted", async (spec) => {
    expect((await apply("MasterKey", "good", spec)).stderr).toBe("");
    await cluster.kubectl(["delete", "mk", "-n", "payments", "good"]);
  });

  it.each([
    ["a key spec that does not exist", { keySpec: "AES_512" }, /Unsupported value: "AES_512"/],
    ["a key spec that does not fit the usage", { keySpec: "HMAC_256" }, /keyUsage does not fit keySpec/],
    [
      "a usage that does not fit the key spec",
      { keyUsage: "GENERATE_VERIFY_MAC" },
      /keyUsage does not fit keySpec/,
    ],
    [
      "a description that is too long",
      { description: "x".repeat(8193) },
      /Too long|may not be more than 8192/,
    ],
    ["a tag that is AWS's own", { tags: { "aws:x": "y" } }, /does not begin with aws:/],
    [
      "a window that is not in cron's five fields",
      rotating({ schedule: "every Saturday" }),
      /schedule has cron's five fields/,
    ],
    ["a window with seconds", rotating({ schedule: "0 0 2 * * 6" }), /schedule has cron's five fields/],
    [
      "a window in no time zone",
      rotating({ schedule: "0 2 * * 6", timeZone: "Berlin" }),
      /timeZone is an IANA name such as Europe\/Berlin/,
    ],
    [
      "imported material that is to rotate by itself",
      { origin: "EXTERNAL", rotation: { enabled: true } },
      /rotation.enabled needs origin AWS_KMS/,
    ],
    ["a misspelt field", { keySpek: "SYMMETRIC_DEFAULT" }, /unknown field "spec.keySpek"/],
  ])("%s is refused with the reason, and nothing is made", async (_, spec, reason) => {
    const { code, stderr } = await apply("MasterKey", "bad", spec);
    expect(code).not.toBe(0);
    expect(stderr).toMatch(reason);
    expect((await cluster.plane.kubectl(["get", "mk", "-n", "payments", "bad"])).code).not.toBe(0);
  });

  it("an immutable field of a MasterKey cannot be changed, and the key stays as it was", async () => {
    await apply("MasterKey", "fixed", {});
    await becomesReady("masterkey/fixed");
    const { code, stderr } = await apply("MasterKey", "fixed", {
      keySpec: "HMAC_256",
      keyUsage: "GENERATE_VERIFY_MAC",
    });
    expect(code).not.toBe(0);
    expect(stderr).toMatch(/keySpec is immutable/);
    expect(await get("masterkey/fixed", "{.spec.keySpec}")).toBe("SYMMETRIC_DEFAULT");
  });

  it("a MasterKey's description and tags can be changed", async () => {
    await apply("MasterKey", "described", {});
    await becomesReady("masterkey/described");
    const { code } = await apply("MasterKey", "described", {
      description: "for payments",
      tags: { team: "red" },
    });
    expect(code).toBe(0);
    await cluster.kubectl([
      ...["wait", "--for=jsonpath={.status.observedGeneration}=2", "--timeout=120s", "-n", "payments"],
      "masterkey/described",
    ]);
    expect(await get("masterkey/described", "{.spec.description} {.spec.tags.team}")).toBe(
      "for payments red",
    );
  });

  it("a KeyVersion cannot be changed but for its seal", async () => {
    const name = await cluster.kubectl(["get", "kv", "-o", "jsonpath={.items[0].metadata.name}"]);
    const patch = JSON.stringify({ spec: { number: 99 } });
    const result = await cluster.plane.kubectl(["patch", "kv", name, "--type=merge", "-p", patch]);
    expect(result.code).not.toBe(0);
    expect(result.stderr).toMatch(/number is immutable/);
  });

  it("an alias to nothing says so, and is Ready once its MasterKey is", async () => {
    await apply("KeyAlias", "early", { masterKey: "late" });
    await cluster.kubectl([
      ...["wait", "--for=condition=Ready=false", "--timeout=120s", "-n", "payments", "keyalias/early"],
    ]);
    expect(await readiness("keyalias/early")).toBe(
      "MasterKeyNotFound MasterKey payments/late does not exist: apply it, or name another one in spec.masterKey",
    );
    await apply("MasterKey", "late", {});
    await becomesReady("keyalias/early");
    expect(await get("keyalias/early", "{.status.arn}")).toMatch(/^arn:aws:kms:.*:alias\/payments\/early$/);
  });

  it("an alias that is deleted and made again does not go back to a key that it left", async () => {
    for (const name of ["first", "second"]) {
      await apply("MasterKey", name, {});
      await becomesReady(`masterkey/${name}`);
      await apply("KeyAlias", "moving", { masterKey: name });
      const served = `{.status.masterKey}=${name}`;
      await cluster.kubectl([
        ...["wait", `--for=jsonpath=${served}`, "--timeout=120s", "-n", "payments", "keyalias/moving"],
      ]);
    }
    // A node that serves the alias records it, which takes a moment.
    await eventually("the node serves the second key", async () => {
      const reader = KeyringReader.open(cluster.nodes[0]?.keyringPath ?? "");
      const { aliases } = reader.snapshot();
      reader.close();
      return aliases.get("payments/moving")?.masterKey === "second";
    });
    await cluster.kubectl(["delete", "-n", "payments", "keyalias/moving"]);
    await apply("KeyAlias", "moving", { masterKey: "first" });
    await cluster.kubectl([
      ...["wait", "--for=condition=Ready=false", "--timeout=120s", "-n", "payments", "keyalias/moving"],
    ]);
    expect(await readiness("keyalias/moving")).toMatch(/^KeyIDWouldReturn .*the nodes still serve second/);
    expect(await get("keyalias/moving", "{.status.masterKey}")).toBe("second");
  });

  it("a disabled key is not Ready and says why, and is Ready when enabled again", async () => {
    await apply("MasterKey", "paused", { enabled: false });
    await cluster.kubectl([
      ...["wait", "--for=jsonpath={.status.keyState}=Disabled", "--timeout=120s", "-n", "payments"],
      "masterkey/paused",
    ]);
    expect(await readiness("masterkey/paused")).toMatch(/^Disabled spec.enabled is false/);
    await apply("MasterKey", "paused", { enabled: true });
    await becomesReady("masterkey/paused");
  });

  it("a MasterKey that is deleted and made again adopts its versions: the key_id stays", async () => {
    await apply("MasterKey", "again", {});
    await becomesReady("masterkey/again");
    const before = await get("masterkey/again", "{.status.keyId} {.status.currentVersion.kmsKeyId}");
    await cluster.kubectl(["delete", "-n", "payments", "masterkey/again"]);
    await apply("MasterKey", "again", {});
    await becomesReady("masterkey/again");
    expect(await get("masterkey/again", "{.status.keyId} {.status.currentVersion.kmsKeyId}")).toBe(before);
  });

  it("kubectl get shows state, version, key_id and which node serves what", async () => {
    const keys = await cluster.kubectl(["get", "mk", "-n", "claviger-system"]);
    expect(keys).toMatch(/NAME +STATE +VERSION +KEY_ID +READY +REASON +NEXT_ROTATION +DATA +AGE\n/);
    expect(keys).toMatch(/\nsecrets +Enabled +1 +[0-9a-f]{32} +True +VersionCurrent +\S/);
    expect(await cluster.kubectl(["get", "ks"])).toMatch(
      /node-1 +secrets: claviger-system\/secrets v1 +\d+ +True/,
    );
    expect(await cluster.kubectl(["get", "kv"])).toMatch(
      /claviger-system +secrets +1 +Current +[0-9a-f]{32}/,
    );
    const all = await cluster.kubectl(["get", "claviger", "-A"]);
    for (const kind of ["masterkey", "keyversion", "keyalias", "keyserver"])
      expect(all).toContain(`${kind}.kms`);
  });

  it("events tell what happened to a key", async () => {
    const events = await cluster.kubectl([
      ...["get", "events", "-n", "payments", "--field-selector", "involvedObject.name=empty"],
      ...["-o", "jsonpath={range .items[*]}{.reason}{'\\n'}{end}"],
    ]);
    expect(events.trim().split("\n").sort()).toEqual(["KeyIdAssigned", "VersionPromoted"]);
  });
});
