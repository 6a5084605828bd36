import {
  chmodSync,
  chownSync,
  lstatSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { parse } from "yaml";
import { parseConfig } from "../../config/config.ts";
import { FileLock } from "../../keyring/file-lock.ts";
import { FakeApiServer, json } from "../../testing/fake-api-server.ts";
import { masterKey } from "../../testing/objects.ts";
import { clusterTarget, standaloneTarget } from "./target.ts";

const MANIFEST = `apiVersion: kms.claviger.dev/v1alpha1
kind: MasterKey
metadata: { namespace: apps, name: mine } # of the shop
spec: { origin: EXTERNAL }
`;
let folder: string;
let file: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "claviger-import-target-"));
  file = join(folder, "mine.yaml");
  writeFileSync(file, MANIFEST);
});
afterEach(() => rmSync(folder, { recursive: true }));

function target() {
  const config = parseConfig(
    JSON.stringify({
      apiVersion: "config.claviger.dev/v1alpha1",
      kind: "NodeConfig",
      nodeName: "node-1",
      stateDir: folder,
      seal: { file: { path: "root.key" } },
      providers: [],
      manifests: folder,
    }),
    join(folder, "claviger.json"),
  );
  return standaloneTarget(folder, config, { namespace: "apps", name: "mine" });
}

test("a manifest that others may read => they may afterwards, whatever the umask", async () => {
  chmodSync(file, 0o664);
  const before = process.umask(0o077);
  await target()
    .write({ requestToken: "t" })
    .finally(() => process.umask(before));
  expect(readFileSync(file, "utf8")).toContain('requestToken: "t"');
  expect(readFileSync(file, "utf8")).toContain("# of the shop");
  expect(statSync(file).mode & 0o777).toBe(0o664);
});

test.skipIf(process.getuid?.() !== 0)(
  "root edits a manifest of somebody else's => it stays theirs",
  async () => {
    chownSync(file, 4242, 4343);
    await target().write({ requestToken: "t" });
    expect(statSync(file)).toMatchObject({ uid: 4242, gid: 4343 });
  },
);

test("links that wait where a draft could be written => nothing of theirs is written to", async () => {
  const victim = join(folder, "victim");
  writeFileSync(victim, "theirs");
  for (const name of [`${file}.draft`, `${file}.tmp`, `${file}.new`, `${file}~`]) symlinkSync(victim, name);
  await target().write({ requestToken: "t" });
  expect(readFileSync(victim, "utf8")).toBe("theirs");
  expect(readFileSync(file, "utf8")).toContain('requestToken: "t"');
});

test("a manifest that is a link => the file behind it is edited", async () => {
  const real = join(folder, "kept-elsewhere");
  rmSync(file);
  writeFileSync(real, MANIFEST);
  symlinkSync(real, file);
  await target().write({ requestToken: "t" });
  expect(lstatSync(file).isSymbolicLink()).toBe(true);
  expect(readFileSync(real, "utf8")).toContain('requestToken: "t"');
});

test("standalone, an offer is taken out of its manifest => not one that took its place", async () => {
  await target().write({ requestToken: "theirs" });
  expect(await target().takeOut("mine")).toBe(false);
  expect(readFileSync(file, "utf8")).toContain('requestToken: "theirs"');
  expect(await target().takeOut("theirs")).toBe(true);
  expect(readFileSync(file, "utf8")).not.toContain("import");
});

test("in a cluster, an offer is taken out of the MasterKey that was read => not one that took its place", async () => {
  const fake = await FakeApiServer.start();
  const name = { namespace: "apps", name: "mine" };
  let resourceVersion = 7;
  let requestToken = "mine";
  const patches: unknown[] = [];
  const key = () =>
    masterKey({
      metadata: { ...name, resourceVersion: String(resourceVersion) },
      spec: {
        import: {
          requestToken,
          expirationModel: "KEY_MATERIAL_DOES_NOT_EXPIRE",
          wrappingKeySpec: "RSA_4096",
        },
      },
    });
  fake.answer(async (call) => {
    if (call.method === "GET") return json(key())(call);
    patches.push(JSON.parse(await call.body));
    // Another client wrote first.
    resourceVersion = 8;
    requestToken = "theirs";
    return json({ message: "conflict" }, 409)(call);
  });
  expect(await clusterTarget({ kubeconfig: fake.kubeconfig }, name).takeOut("mine")).toBe(false);
  expect(patches).toEqual([{ spec: { import: null }, metadata: { resourceVersion: "7" } }]);
  await fake.stop();
});

test("standalone, a MasterKey within a List => ConfigInvalid, which says to give it a document of its own", async () => {
  const items = [{ ...parse(MANIFEST) }];
  writeFileSync(file, JSON.stringify({ apiVersion: "v1", kind: "List", items }));
  await expect(target().write({ requestToken: "t" })).rejects.toThrow(
    `${file} has MasterKey apps/mine in a form that claviger does not edit, such as a List or with anchors: give it a document of its own`,
  );
});

test("standalone, while the AWS KMS API edits the folder => waits for its end, so that neither edit is lost", async () => {
  const api = FileLock.acquire(join(folder, "manifests.lock"), "");
  const written = target().write({ requestToken: "t" });
  await new Promise(setImmediate);
  writeFileSync(file, MANIFEST.replace("EXTERNAL", "EXTERNAL, description: theirs"));
  api.release();
  await written;
  expect(readFileSync(file, "utf8")).toContain("description: theirs");
  expect(readFileSync(file, "utf8")).toContain('requestToken: "t"');
});
