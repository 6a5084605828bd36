import { randomBytes } from "node:crypto";
import { readdirSync } from "node:fs";
import { cp, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { status } from "@grpc/grpc-js";
import { describe, expect, it } from "vitest";
import { stringify } from "yaml";
import type { StatusReport } from "../../src/cli/status/report.ts";
import { KEY_SPECS, type KeySpec, usagesOf } from "../../src/crypto/key-specs.ts";
import { eventually } from "../controlplane/wait.ts";
import { type ConfigFile, Installation, keyAlias, masterKey } from "./installation.ts";
import { encryptSeed, eventuallyRefused, expectOpens, expectRefused } from "./kms.ts";

/** Manifests that were exported from a cluster, or written by hand for a cluster. */
const EXPORTED = join(import.meta.dirname, "exported");

/** Returns the example with one more provider per entry: its name, and what it serves. */
const withProviders =
  (more: Readonly<Record<string, { readonly key: string } | { readonly alias: string }>>) =>
  (config: ConfigFile): ConfigFile => ({
    ...config,
    providers: [
      ...config.providers,
      ...Object.entries(more).map(([name, serves]) => ({ name, socket: `./run/${name}.sock`, ...serves })),
    ],
  });

const statusOf = async (installation: Installation) => {
  const { stdout } = await installation.runWithConfig("status", "-o", "json");
  return JSON.parse(stdout) as Required<Pick<StatusReport, "keys" | "manifests">>;
};

const servingKeyId = (installation: Installation, provider: string, wanted: (keyId: string) => boolean) =>
  eventually(`${provider} serves another key_id`, async () => {
    const keyId = await installation.serving(provider);
    return wanted(keyId) && keyId;
  });

type Serve = Awaited<ReturnType<Installation["start"]>>;

/**
 * Waits until the operator has removed the objects whose files were removed before. It does so at the second look at
 * the folder, so two later changes, one after the other, have been loaded by then.
 */
async function removalIsSettled(installation: Installation, serve: Serve): Promise<void> {
  for (const name of ["other", "another"]) {
    await installation.manifest(`${name}.yaml`, masterKey(name));
    await serve.line(new RegExp(`MasterKey claviger-system/${name}: version 1 is current`));
  }
}

describe("a manifest", () => {
  it("that is added while claviger runs becomes a key that its provider serves", async () => {
    await using installation = await Installation.create(
      withProviders({ later: { key: "claviger-system/later" } }),
    );
    await installation.start("serve");
    const first = await installation.serving();
    await eventuallyRefused(
      () => installation.client("later").status(),
      status.NOT_FOUND,
      /MasterKey claviger-system\/later is not in the keyring/,
    );
    await installation.manifest("later.yaml", masterKey("later"));
    expect(await installation.serving("later")).not.toBe(first);
    const client = installation.client("later");
    await expectOpens(client, await encryptSeed(client, randomBytes(32)));
    expect(await installation.serving()).toBe(first);
  });

  it("that disables its key has Status, Encrypt and Decrypt refused by name; enabled again, it opens the old ciphertexts", async () => {
    await using installation = await Installation.create();
    const serve = await installation.start("serve");
    const keyId = await installation.serving();
    const client = installation.client();
    const sealed = await encryptSeed(client, randomBytes(32));

    await installation.manifest("secrets.yaml", masterKey("secrets", { enabled: false }));
    const disabled = /MasterKey claviger-system\/secrets is disabled; set spec\.enabled to true/;
    await eventuallyRefused(() => client.status(), status.FAILED_PRECONDITION, disabled);
    await expectRefused(client.encrypt(randomBytes(32)), status.FAILED_PRECONDITION, disabled);
    await expectRefused(client.decrypt(sealed), status.FAILED_PRECONDITION, disabled);

    // Also after a restart, when nothing is in memory.
    await serve.process.stop();
    await installation.start("serve");
    await eventuallyRefused(() => installation.client().status(), status.FAILED_PRECONDITION, disabled);
    await expectRefused(installation.client().decrypt(sealed), status.FAILED_PRECONDITION, disabled);

    await installation.manifest("secrets.yaml", masterKey("secrets", { enabled: true }));
    expect(await installation.serving()).toBe(keyId);
    await expectOpens(installation.client(), sealed);
    await expectOpens(installation.client(), await encryptSeed(installation.client(), randomBytes(32)));
  });

  it.each([
    { what: "a wrong enum value", spec: { keySpec: "AES_128" }, says: /spec\.keySpec must be one of/ },
    {
      what: "a changed keySpec",
      spec: { keySpec: "HMAC_256", keyUsage: "GENERATE_VERIFY_MAC" },
      says: /keySpec is immutable/,
    },
    {
      what: "a key spec that does not fit the usage",
      spec: { keyUsage: "GENERATE_VERIFY_MAC" },
      says: /keyUsage does not fit keySpec/,
    },
    {
      what: "a misspelt field",
      spec: { enabeld: false },
      says: /spec\.enabeld is not a field that claviger knows/,
    },
    {
      what: "a value of another type",
      spec: { enabled: "nein" },
      says: /spec\.enabled must be of type boolean/,
    },
    {
      what: "a tag that AWS keeps for itself",
      spec: { tags: { "aws:x": "a value" } },
      says: /spec\.tags: a tag's name/,
    },
  ])("with $what is refused with file, object and field, and changes nothing", async ({ spec, says }) => {
    await using installation = await Installation.create();
    const serve = await installation.start("serve");
    const keyId = await installation.serving();
    const sealed = await encryptSeed(installation.client(), randomBytes(32));
    const before = await statusOf(installation);
    expect(before.manifests).toEqual([]);

    await installation.manifest("secrets.yaml", masterKey("secrets", spec));
    const line = await serve.line(says);
    expect(line).toContain(join(installation.keysDir, "secrets.yaml"));
    expect(line).toMatch(/ERROR operator: .*MasterKey claviger-system\/secrets: .*; it stays as it was/);
    const after = await statusOf(installation);
    // A key spec of another kind breaks two rules.
    expect(after).toEqual({ ...before, manifests: expect.anything(), wrong: expect.anything() });
    expect(after.manifests).toContainEqual({ kind: "refused", message: expect.stringMatching(says) });
    expect((await installation.runWithConfig("status")).stdout).toMatch(
      /^- manifest refused: .*secrets\.yaml: /m,
    );
    await expectOpens(installation.client(), sealed);

    // A corrected manifest is loaded, and the operator has continued in the meantime.
    await installation.manifest("secrets.yaml", masterKey("secrets", { description: "put right" }));
    await installation.manifest("next.yaml", masterKey("next"));
    await serve.line(/MasterKey claviger-system\/next: version 1 is current/);
    expect(await installation.serving()).toBe(keyId);
  });

  it("of a new key that is refused makes no key, and the other documents of its file are used", async () => {
    await using installation = await Installation.create();
    const serve = await installation.start("serve");
    await installation.serving();
    await installation.manifest("new.yaml", masterKey("bad", { keySpec: "DES" }), masterKey("good"));
    await serve.line(
      /new\.yaml: MasterKey claviger-system\/bad: spec\.keySpec must be one of .*; it is not used/,
    );
    await serve.line(/MasterKey claviger-system\/good: version 1 is current/);
    expect(await serve.text()).not.toMatch(/MasterKey claviger-system\/bad: keyId/);
  });

  it("that is no YAML any more keeps what was, also over a restart, and counts again when mended", async () => {
    await using installation = await Installation.create();
    const first = await installation.start("serve");
    const keyId = await installation.serving();
    const sealed = await encryptSeed(installation.client(), randomBytes(32));
    const path = join(installation.keysDir, "secrets.yaml");
    await installation.replace(path, "kind: MasterKey\n  spec: [\n");
    expect(await first.line(/ERROR operator: .*secrets\.yaml: /)).toContain(path);
    expect(await installation.serving()).toBe(keyId);
    await first.process.stop();

    const second = await installation.start("serve");
    await second.line(/ERROR operator: .*secrets\.yaml: /);
    expect(await installation.serving()).toBe(keyId);
    await expectOpens(installation.client(), sealed);
    await installation.manifest("secrets.yaml", masterKey("secrets", { enabled: false }));
    await eventuallyRefused(() => installation.client().status(), status.FAILED_PRECONDITION, /is disabled/);
  });

  it("that is removed leaves its key served, also over a restart, and comes back as the same key", async () => {
    await using installation = await Installation.create();
    const serve = await installation.start("serve");
    const keyId = await installation.serving();
    const sealed = await encryptSeed(installation.client(), randomBytes(32));
    await rm(join(installation.keysDir, "secrets.yaml"));
    await removalIsSettled(installation, serve);
    expect(await installation.serving()).toBe(keyId);
    await expectOpens(installation.client(), sealed);
    expect((await statusOf(installation)).manifests).toEqual([
      {
        kind: "missing",
        message: expect.stringContaining("MasterKey claviger-system/secrets is in no manifest of "),
      },
    ]);
    await serve.process.stop();

    const second = await installation.start("serve");
    expect(await installation.serving()).toBe(keyId);
    await expectOpens(installation.client(), sealed);
    await expectOpens(installation.client(), await encryptSeed(installation.client(), randomBytes(32)));
    await installation.manifest("again.yaml", masterKey("secrets"));
    await second.line(/MasterKey claviger-system\/secrets: .*version 1/);
    expect(await installation.serving()).toBe(keyId);
    await expectOpens(installation.client(), sealed);
  });

  it("that a cluster exported is taken as kubectl would take it: lists, JSON, merges, YAML 1.1", async () => {
    await using installation = await Installation.create();
    const serve = await installation.start("serve");
    const keyId = await installation.serving();
    for (const name of readdirSync(EXPORTED))
      await cp(join(EXPORTED, name), join(installation.keysDir, name));
    for (const name of ["as-json", "bom", "merged-inline", "said-yes", "nightly", "exported-one"])
      await serve.line(new RegExp(`MasterKey [-\\w]+/${name}: `));
    const { manifests } = await statusOf(installation);
    // The list, plain.json and own-key.yaml have objects that other files have, too.
    for (const { message } of manifests as readonly { readonly message: string }[])
      expect(message).toMatch(/ is in .* already; that one is used$/);
    // The list has the example's key too, with a requestToken that asks for another version.
    await servingKeyId(installation, "secrets", (now) => now !== keyId);
    // `enabled: no` is a boolean, as in kubectl.
    const { stdout } = await installation.runWithConfig("status");
    expect(stdout).toMatch(/^shop\/said-yes +Disabled /m);
  });

  it("of any other key spec becomes a key with one version, which cannot be served over KMS v2, and its provider says so", async () => {
    const specs = KEY_SPECS.filter((spec) => spec !== "SYMMETRIC_DEFAULT");
    const nameOf = (spec: KeySpec) => spec.toLowerCase().replaceAll("_", "-");
    await using installation = await Installation.create(
      withProviders({ mac: { key: "claviger-system/hmac-256" }, rsa: { key: "claviger-system/rsa-4096" } }),
    );
    await installation.start("serve");
    await installation.manifest(
      "all.yaml",
      ...specs.map((keySpec) => masterKey(nameOf(keySpec), { keySpec, keyUsage: usagesOf(keySpec).at(-1) })),
    );
    await eventually("every key has a version that was opened and tested", async () => {
      const { keys } = await statusOf(installation);
      const tested = keys.filter(({ state, currentVersion }) => state === "Enabled" && currentVersion === 1);
      const names = tested.map(({ key }) => key);
      return specs.every((spec) => names.includes(`claviger-system/${nameOf(spec)}`));
    });
    for (const [provider, spec] of [
      ["mac", "HMAC_256"],
      ["rsa", "RSA_4096"],
    ] as const)
      await eventuallyRefused(
        () => installation.client(provider).status(),
        status.FAILED_PRECONDITION,
        new RegExp(`provider ${provider} names a ${spec} key; KMS v2 needs SYMMETRIC_DEFAULT`),
      );
    await installation.serving();
  });
});

describe("a folder of manifests", () => {
  it("may have .yml files, several documents in one, and objects that are not claviger's", async () => {
    await using installation = await Installation.create(
      withProviders({
        one: { key: "team-a/one" },
        two: { key: "team-b/two" },
        named: { alias: "team-b/named" },
      }),
    );
    const namespace = { apiVersion: "v1", kind: "Namespace", metadata: { name: "team-a" } };
    await installation.manifest(
      "teams.yml",
      namespace,
      masterKey("one", {}, "team-a"),
      keyAlias("named", "two", "team-b"),
    );
    await installation.manifest("more.yaml", masterKey("two", {}, "team-b"));
    await writeFile(join(installation.keysDir, ".hidden.yaml"), stringify(masterKey("hidden")));
    await writeFile(join(installation.keysDir, "notes.txt"), "no manifest");
    const serve = await installation.start("serve");
    const [secrets, one, two] = [
      await installation.serving(),
      await installation.serving("one"),
      await installation.serving("two"),
    ];
    expect(new Set([secrets, one, two]).size).toBe(3);
    expect(await installation.serving("named")).toBe(two);
    expect(await serve.text()).not.toMatch(/ERROR|hidden/);
  });

  it("that holds one key twice uses the first file's and says so", async () => {
    await using installation = await Installation.create();
    const serve = await installation.start("serve");
    const keyId = await installation.serving();
    await installation.manifest("zz.yaml", masterKey("secrets", { enabled: false }));
    await serve.line(
      /zz\.yaml: MasterKey claviger-system\/secrets is in .*secrets\.yaml already; that one is used/,
    );
    expect(await installation.serving()).toBe(keyId);
  });

  it("that vanishes is named in the log, its keys continue to be served, and it is followed again when it is back", async () => {
    await using installation = await Installation.create();
    const serve = await installation.start("serve");
    const keyId = await installation.serving();
    await rename(installation.keysDir, `${installation.keysDir}.away`);
    expect(await serve.line(/manifests folder .* cannot be read/)).toContain(installation.keysDir);
    expect(await installation.serving()).toBe(keyId);
    await rename(`${installation.keysDir}.away`, installation.keysDir);
    await installation.manifest("later.yaml", masterKey("later"));
    await serve.line(/MasterKey claviger-system\/later: version 1 is current/);
    expect(await installation.serving()).toBe(keyId);
  });
});

describe("a provider that names a KeyAlias", () => {
  it("follows it to another key, still opens what the first one encrypted, and never goes back to a key_id", async () => {
    await using installation = await Installation.create(
      withProviders({ named: { alias: "claviger-system/named" } }),
    );
    await installation.manifest("alias.yaml", keyAlias("named", "secrets"));
    await installation.manifest("other.yaml", masterKey("other"));
    const serve = await installation.start("serve");
    const first = await installation.serving();
    expect(await installation.serving("named")).toBe(first);
    const client = installation.client("named");
    const old = await encryptSeed(client, randomBytes(32));

    await installation.manifest("alias.yaml", keyAlias("named", "other"));
    const second = await servingKeyId(installation, "named", (keyId) => keyId !== first);
    const sealed = await encryptSeed(client, randomBytes(32));
    expect(sealed.key_id).toBe(second);
    await expectOpens(client, old);
    await expectOpens(client, sealed);

    await installation.manifest("alias.yaml", keyAlias("named", "secrets"));
    await serve.line(/KeyAlias claviger-system\/named: .*a key_id must not return/);
    expect(await installation.serving("named")).toBe(second);
    expect(await installation.serving()).toBe(first);
  });

  it("says that the alias is missing, then that it points to nothing, and serves once it points to a key", async () => {
    await using installation = await Installation.create(
      withProviders({ named: { alias: "claviger-system/named" } }),
    );
    const serve = await installation.start("serve");
    const missing = /KeyAlias claviger-system\/named is not in the keyring/;
    await installation.serving();
    await eventuallyRefused(() => installation.client("named").status(), status.NOT_FOUND, missing);
    await installation.manifest("alias.yaml", keyAlias("named", "nothing"));
    await serve.line(/KeyAlias claviger-system\/named: MasterKey claviger-system\/nothing does not exist/);
    await expectRefused(installation.client("named").status(), status.NOT_FOUND, missing);
    await installation.manifest("nothing.yaml", masterKey("nothing"));
    await installation.serving("named");
  });

  it("stays with the key it serves where the alias is pointed to one that does not exist, or is removed", async () => {
    await using installation = await Installation.create(
      withProviders({ named: { alias: "claviger-system/named" } }),
    );
    await installation.manifest("alias.yaml", keyAlias("named", "secrets"));
    const serve = await installation.start("serve");
    const keyId = await installation.serving("named");
    await installation.manifest("alias.yaml", keyAlias("named", "nothing"));
    await serve.line(/MasterKey claviger-system\/nothing does not exist: .*; the nodes still serve secrets/);
    expect(await installation.serving("named")).toBe(keyId);
    await rm(join(installation.keysDir, "alias.yaml"));
    await removalIsSettled(installation, serve);
    expect(await installation.serving("named")).toBe(keyId);
  });
});
