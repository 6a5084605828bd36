import { appendFileSync, mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { KeyringWriter } from "../../keyring/writer.ts";
import { toKeyVersionSpec, toVersionRow } from "../../resources/key-version-rows.ts";
import { currentVersion, keyId, keyVersion } from "../../testing/objects.ts";
import { ManifestStore } from "./manifest-store.ts";

/** Only ends a test that hangs. */
const deadline = { timeout: 60_000, interval: 5 };

const key = (name: string, spec = "") =>
  `apiVersion: kms.claviger.dev/v1alpha1\nkind: MasterKey\nmetadata: { name: ${name}, namespace: apps }\n${spec && `spec: ${spec}\n`}`;
const alias = (target: string) =>
  `apiVersion: kms.claviger.dev/v1alpha1\nkind: KeyAlias\nmetadata: { name: main, namespace: apps }\nspec: { masterKey: ${target} }\n`;

let root = "";
let running: Running | undefined;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "claviger-store-"));
  mkdirSync(join(root, "keys"));
});
afterEach(async () => {
  await running?.stop();
  rmSync(root, { recursive: true, force: true });
});

interface Running {
  readonly store: ManifestStore;
  readonly lines: string[];
  readonly changes: string[];
  stop(): Promise<void>;
}

/** Starts a store that follows the folder. Returns it once its first view is complete. */
async function start(nodeName = "node-1"): Promise<Running> {
  const lines: string[] = [];
  const changes: string[] = [];
  const keyring = KeyringWriter.open(join(root, "state"));
  const log = (level: string, message: string) => void lines.push(`${level} ${message}`);
  const store = new ManifestStore({
    folder: join(root, "keys"),
    nodeName,
    objects: keyring.objects,
    log,
    countAll: async () => undefined,
  });
  const controller = new AbortController();
  const ended = store.run(controller.signal, {
    onChange: ({ kind, metadata }) => void changes.push(`${kind} ${metadata.name}`),
    onBegin: () => undefined,
  });
  const stop = async () => {
    running = undefined;
    controller.abort();
    await ended;
    keyring.close();
  };
  running = { store, lines, changes, stop };
  await vi.waitFor(() => expect(store.view()).toBeDefined(), deadline);
  return running;
}

/** Replaces a file as an editor does, so that no part of it is ever read. */
function write(name: string, text: string): void {
  writeFileSync(join(root, "draft"), text);
  renameSync(join(root, "draft"), join(root, "keys", name));
}

const onlyKey = ({ store }: Running) => {
  const [object, ...rest] = store.view()?.masterKeys ?? [];
  if (object === undefined || rest.length > 0) throw new Error(`${rest.length} more keys than one`);
  return object;
};
const loggedLine = ({ lines }: Running, text: string) =>
  vi.waitFor(() => expect(lines.filter((line) => line.includes(text))).toHaveLength(1), deadline);

describe("specs", () => {
  test("an empty spec => a valid symmetric key with every default", async () => {
    write("a.yaml", key("a"));
    expect(onlyKey(await start())).toMatchObject({
      metadata: { name: "a", namespace: "apps", generation: 1 },
      spec: {
        description: "",
        enabled: true,
        keySpec: "SYMMETRIC_DEFAULT",
        keyUsage: "ENCRYPT_DECRYPT",
        origin: "AWS_KMS",
        tags: {},
      },
    });
  });

  test("the spec changes => generation and resourceVersion go up, uid and status stay", async () => {
    write("a.yaml", key("a"));
    const used = await start();
    await used.store.applyStatus<"MasterKey">(onlyKey(used), { keyId: keyId(1) });
    const before = onlyKey(used);
    write("a.yaml", key("a", "{ description: changed }"));
    await vi.waitFor(() => expect(onlyKey(used).spec.description).toBe("changed"), deadline);
    const after = onlyKey(used);
    expect(after).toMatchObject({
      metadata: { uid: before.metadata.uid, generation: 2 },
      status: before.status,
    });
    expect(Number(after.metadata.resourceVersion)).toBeGreaterThan(Number(before.metadata.resourceVersion));
  });

  test("the file is touched, or says a default in words => nothing changes", async () => {
    write("a.yaml", key("a"));
    const used = await start();
    const before = onlyKey(used);
    write("a.yaml", key("a", "{ enabled: true, keySpec: SYMMETRIC_DEFAULT }"));
    write("b.yaml", key("b"));
    await vi.waitFor(() => expect(used.store.view()?.masterKeys).toHaveLength(2), deadline);
    expect(used.store.view()?.masterKeys).toContainEqual(before);
  });

  test("status is written => the generation stays, the resourceVersion moves", async () => {
    write("a.yaml", key("a"));
    const used = await start();
    const before = onlyKey(used);
    await used.store.applyStatus<"MasterKey">(before, { keyId: keyId(1) });
    expect(onlyKey(used).metadata.generation).toBe(1);
    expect(onlyKey(used).metadata.resourceVersion).not.toBe(before.metadata.resourceVersion);
  });

  test.each([
    ["an immutable field", "{ keySpec: HMAC_256, keyUsage: GENERATE_VERIFY_MAC }", "keySpec is immutable"],
    ["an unknown field", "{ enabeld: false }", "spec.enabeld is not a field that claviger knows"],
    ["a wrong type", "{ enabled: maybe }", "spec.enabled must be of type boolean"],
  ])("%s => refused with the file's name, the object stays as it was", async (_, spec, problem) => {
    write("a.yaml", key("a"));
    const used = await start();
    const before = onlyKey(used);
    write("a.yaml", key("a", spec));
    await loggedLine(used, problem);
    expect(used.lines.at(-1)).toMatch(/keys\/a\.yaml: MasterKey apps\/a: .*; it stays as it was$/);
    expect(onlyKey(used)).toEqual(before);
  });

  test("a new object that is wrong => it is not used, the others are", async () => {
    write("a.yaml", `${key("a")}---\n${key("b", "{ keyUsage: GENERATE_VERIFY_MAC }")}`);
    const used = await start();
    await loggedLine(used, "it is not used");
    expect(onlyKey(used).metadata.name).toBe("a");
  });

  test("a wrong object is mended => it is taken", async () => {
    write("a.yaml", key("a", "{ enabled: maybe }"));
    const used = await start();
    expect(used.store.view()?.masterKeys).toEqual([]);
    write("a.yaml", key("a"));
    await vi.waitFor(() => expect(onlyKey(used).spec.enabled).toBe(true), deadline);
  });
});

describe("files that come and go", () => {
  test("a file is removed => its objects are, and the listener hears of it", async () => {
    write("a.yaml", key("a"));
    const used = await start();
    used.changes.length = 0;
    rmSync(join(root, "keys", "a.yaml"));
    await vi.waitFor(() => expect(used.store.view()?.masterKeys).toEqual([]), deadline);
    expect(used.changes).toEqual(["MasterKey a"]);
  });

  test("an object moves to another file => it stays", async () => {
    write("a.yaml", key("a"));
    const used = await start();
    const before = onlyKey(used);
    renameSync(join(root, "keys", "a.yaml"), join(root, "keys", "b.yaml"));
    write("c.yaml", alias("a"));
    await vi.waitFor(() => expect(used.store.view()?.keyAliases).toHaveLength(1), deadline);
    expect(onlyKey(used)).toEqual(before);
  });

  test("a file breaks => its objects stay; it is mended without one => that one goes", async () => {
    write("a.yaml", `${key("a")}---\n${key("b")}`);
    const used = await start();
    const before = used.store.view()?.masterKeys;
    write("a.yaml", `${key("a")}---\nfoo: [1,\n`);
    await loggedLine(used, "a.yaml");
    expect(used.store.view()?.masterKeys).toEqual(before);
    write("a.yaml", key("a"));
    await vi.waitFor(() => expect(onlyKey(used).metadata.name).toBe("a"), deadline);
  });

  test("a file is empty, as while an editor writes it => its objects stay; it is removed => they go", async () => {
    write("a.yaml", key("a"));
    const used = await start();
    const before = onlyKey(used);
    write("a.yaml", "");
    await loggedLine(used, "a.yaml is empty");
    expect(onlyKey(used)).toEqual(before);
    rmSync(join(root, "keys", "a.yaml"));
    await vi.waitFor(() => expect(used.store.view()?.masterKeys).toEqual([]), deadline);
  });

  test("an editor writes a file in place, in two parts => the objects of the second part stay what they were", async () => {
    write("a.yaml", `${key("a")}---\n${key("b")}`);
    const used = await start();
    const found = (name: string) =>
      used.store.view()?.masterKeys.find(({ metadata }) => metadata.name === name);
    const before = found("b");
    expect(before).toBeDefined();
    const first = `${key("a", "{ description: edited }")}---\n`;
    writeFileSync(join(root, "keys", "a.yaml"), first);
    await vi.waitFor(() => expect(found("a")?.spec.description).toBe("edited"), deadline);
    appendFileSync(join(root, "keys", "a.yaml"), `${key("b")}---\n${key("c")}`);
    await vi.waitFor(() => expect(found("c")).toBeDefined(), deadline);
    expect(found("b")).toEqual(before);
    write("a.yaml", key("c"));
    await vi.waitFor(() => expect(onlyKey(used).metadata.name).toBe("c"), deadline);
  });

  test("a file is broken while the operator starts again => its objects stay", async () => {
    write("a.yaml", key("a"));
    const used = await start();
    const before = onlyKey(used);
    await used.stop();
    write("a.yaml", "foo: [1,\n");
    const again = await start();
    expect(onlyKey(again)).toEqual(before);
  });

  test("the folder is gone => it is logged once, the objects stay, and it is read when it is back", async () => {
    write("a.yaml", key("a"));
    const used = await start();
    const before = onlyKey(used);
    renameSync(join(root, "keys"), join(root, "away"));
    await loggedLine(used, "cannot be read");
    expect(onlyKey(used)).toEqual(before);
    writeFileSync(join(root, "away", "b.yaml"), key("b"));
    renameSync(join(root, "away"), join(root, "keys"));
    await vi.waitFor(() => expect(used.store.view()?.masterKeys).toHaveLength(2), deadline);
  });

  test("an object in two files => the first one's is used", async () => {
    write("a.yaml", key("k", "{ description: first }"));
    write("b.yaml", key("k", "{ description: second }"));
    const used = await start();
    await loggedLine(used, "that one is used");
    expect(onlyKey(used).spec.description).toBe("first");
  });
});

describe("writes", () => {
  test("status of an object that has changed since => Conflict, nothing is written", async () => {
    write("a.yaml", key("a"));
    const used = await start();
    const stale = onlyKey(used);
    await used.store.applyStatus<"MasterKey">(stale, { keyId: keyId(1) });
    const write2 = used.store.applyStatus<"MasterKey">(stale, { keyId: keyId(2) });
    await expect(write2).rejects.toMatchObject({ code: "Conflict" });
    expect(onlyKey(used).status?.keyId).toBe(keyId(1));
  });

  test("status of an object that was deleted, or made again => Conflict", async () => {
    write("a.yaml", key("a"));
    const used = await start();
    const stale = onlyKey(used);
    rmSync(join(root, "keys", "a.yaml"));
    await vi.waitFor(() => expect(used.store.view()?.masterKeys).toEqual([]), deadline);
    await expect(used.store.applyStatus<"MasterKey">(stale, {})).rejects.toMatchObject({ code: "Conflict" });
    write("a.yaml", key("a"));
    await vi.waitFor(() => expect(onlyKey(used).metadata.uid).not.toBe(stale.metadata.uid), deadline);
    await expect(used.store.applyStatus<"MasterKey">(stale, {})).rejects.toMatchObject({ code: "Conflict" });
  });

  test("a KeyVersion whose name is taken => Conflict, the first stays", async () => {
    const { store } = await start();
    await store.createKeyVersion("v", keyVersion(1).spec);
    await expect(store.createKeyVersion("v", keyVersion(2).spec)).rejects.toMatchObject({ code: "Conflict" });
    expect(store.view()?.keyVersions).toMatchObject([{ metadata: { name: "v" }, spec: { number: 1 } }]);
  });

  test("a KeyVersion => shows in the view with everything up to it, and the listener hears of it", async () => {
    const { store, changes } = await start();
    const before = Number(store.view()?.keyVersionsUpTo);
    await store.createKeyVersion("v", keyVersion(1).spec);
    expect(Number(store.view()?.keyVersionsUpTo)).toBeGreaterThan(before);
    expect(changes).toEqual(["KeyVersion v"]);
  });

  test("another seal => the rest of the KeyVersion stays", async () => {
    const { store } = await start();
    await store.createKeyVersion("v", keyVersion(1).spec);
    const [version] = store.view()?.keyVersions ?? [];
    if (version === undefined) throw new Error("no version");
    const seal = { provider: "file", rootKeyId: "root-2", sealed: "YQ==" };
    await store.replaceSeal(version, seal);
    expect(store.view()?.keyVersions).toMatchObject([{ spec: { ...version.spec, seal } }]);
  });

  test("another seal for a KeyVersion that has changed since => Conflict", async () => {
    const { store } = await start();
    await store.createKeyVersion("v", keyVersion(1).spec);
    const [stale] = store.view()?.keyVersions ?? [];
    if (stale === undefined) throw new Error("no version");
    await store.applyStatus<"KeyVersion">(stale, { state: "Current" });
    await expect(store.replaceSeal(stale, toKeyVersionSpec(toVersionRow(stale)).seal)).rejects.toMatchObject({
      code: "Conflict",
    });
    expect(store.view()?.keyVersions).toMatchObject([{ status: { state: "Current" } }]);
  });

  test("another end of its material and its proof => set, taken away again, and the rest of the KeyVersion stays", async () => {
    const { store } = await start();
    await store.createKeyVersion("v", keyVersion(1).spec);
    const version = () => {
      const [first] = store.view()?.keyVersions ?? [];
      if (first === undefined) throw new Error("no version");
      return first;
    };
    const stale = version();
    const ownership = { revision: 2, provider: "file", rootKeyId: "root-1", sealed: "cHJvb2Y=" };
    const binding = { validTo: "2027-01-02T03:04:05Z", ownership };
    await store.setBinding(version(), binding);
    expect(version().spec).toEqual({ ...stale.spec, ...binding });
    await store.setBinding(version(), {});
    expect(version().spec).toEqual(stale.spec);
    await expect(store.setBinding(stale, {})).rejects.toMatchObject({ code: "Conflict" });
  });

  test("the KeyServer => is made, then changed, with one uid", async () => {
    const { store } = await start();
    await store.reportKeyServer("node-1", { versions: 1 });
    const [first] = await store.fresh("KeyServer");
    await store.reportKeyServer("node-1", { versions: 2 });
    expect(await store.fresh("KeyServer")).toMatchObject([
      { metadata: { name: "node-1", uid: first?.metadata.uid }, status: { versions: 2 } },
    ]);
  });
});

describe("opened again", () => {
  test("objects, status and resourceVersion => are as they were left", async () => {
    write("a.yaml", `${key("a")}---\n${alias("a")}`);
    const used = await start();
    const version = keyVersion(1);
    await used.store.createKeyVersion("v", version.spec);
    await used.store.applyStatus<"MasterKey">(onlyKey(used), {
      keyId: keyId(1),
      currentVersion: currentVersion(version),
    });
    await used.store.reportKeyServer("node-1", { versions: 1 });
    const before = used.store.view();
    await used.stop();
    const again = await start();
    expect(again.store.view()).toEqual(before);
    await again.store.createKeyVersion("w", keyVersion(2).spec);
    expect(Number(again.store.view()?.keyVersionsUpTo)).toBeGreaterThan(Number(before?.keyVersionsUpTo));
  });

  test("before the folder was read => there is no view, so that nothing is decided on half", () => {
    const keyring = KeyringWriter.open(join(root, "state"));
    const options = {
      folder: join(root, "keys"),
      nodeName: "n",
      objects: keyring.objects,
      log: () => undefined,
      countAll: async () => undefined,
    };
    expect(new ManifestStore(options).view()).toBeUndefined();
    keyring.close();
  });

  test("a file was removed meanwhile => its object is gone", async () => {
    write("a.yaml", key("a"));
    await (await start()).stop();
    rmSync(join(root, "keys", "a.yaml"));
    const { store } = await start();
    await vi.waitFor(() => expect(store.view()?.masterKeys).toEqual([]), deadline);
  });

  test("the node was renamed => its former KeyServer does not block promotions", async () => {
    const used = await start("before");
    await used.store.reportKeyServer("before", { versions: 1 });
    await used.stop();
    const { store } = await start("after");
    expect(store.view()?.keyServers).toEqual([]);
    await store.reportKeyServer("after", { versions: 1 });
    expect(store.view()?.keyServers.map(({ metadata }) => metadata.name)).toEqual(["after"]);
  });
});

test("events => are logged, with what they are about", async () => {
  const { store, lines } = await start();
  const metadata = { name: "a", namespace: "apps", uid: "u", resourceVersion: "1" };
  await store.recordEvent({ kind: "MasterKey", metadata }, { type: "Normal", reason: "R", message: "well" });
  await store.recordEvent(
    { kind: "KeyServer", metadata: { name: "n", uid: "u", resourceVersion: "1" } },
    { type: "Warning", reason: "R", message: "not well" },
  );
  expect(lines).toEqual(["info MasterKey apps/a: well", "warn KeyServer n: not well"]);
});
