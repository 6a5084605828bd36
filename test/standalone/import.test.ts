import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { status } from "@grpc/grpc-js";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { contentsOf, encodings } from "../cluster/canaries.ts";
import { spawnTracked } from "../controlplane/reaper.ts";
import { run } from "../controlplane/run.ts";
import { eventually } from "../controlplane/wait.ts";
import { operationsBlock } from "../docs/markdown.ts";
import { CLAVIGER, Installation } from "./installation.ts";
import { encryptSeed, eventuallyRefused, expectOpens, type Sealed } from "./kms.ts";

const KEY = "claviger-system/secrets";
const MANIFEST = `# The key of the API server.
apiVersion: kms.claviger.dev/v1alpha1
kind: MasterKey
metadata: { namespace: claviger-system, name: secrets }
spec:
  origin: EXTERNAL # ours
---
# Another one.
apiVersion: kms.claviger.dev/v1alpha1
kind: MasterKey
metadata: { namespace: shop, name: payments }
`;

/**
 * The folder of the material and of its wrapping, outside of the installation, which is searched for them.
 */
let elsewhere: string;
let installation: Installation;
beforeAll(async () => {
  elsewhere = await mkdtemp(join(tmpdir(), "ci-"));
  installation = await Installation.create();
  await installation.replace(join(installation.keysDir, "secrets.yaml"), MANIFEST);
  await installation.start("serve");
});
afterAll(async () => {
  await installation?.[Symbol.asyncDispose]();
  await rm(elsewhere, { recursive: true, force: true });
});

const materials: Buffer[] = [];
async function material(name: string, bytes = randomBytes(32)): Promise<string> {
  materials.push(bytes);
  const file = join(elsewhere, name);
  await writeFile(file, bytes);
  return file;
}
const importing = (...args: readonly string[]) =>
  installation.run("import", KEY, "--config", installation.configPath, ...args);
const manifest = () => readFile(join(installation.keysDir, "secrets.yaml"), "utf8");

/**
 * Imports with an expiry that must be in the future when the import is accepted, and soon. A slow machine
 * gets more time.
 */
async function importUntilSoon(file: string): Promise<void> {
  for (const seconds of [6, 24, 96]) {
    const soon = new Date(Date.now() + seconds * 1000).toISOString();
    const result = await importing("--material", file, "--expires", soon);
    if (result.code === 0) return;
    expect(result.stderr).toContain("must be in the future");
  }
  throw new Error("no import was fast enough");
}

/** Runs a block of docs/operations/import.md in the folder of the material. */
async function runDocumented(name: string): Promise<void> {
  const script = operationsBlock(name);
  const { code, stderr } = await run("bash", ["-euc", script], { cwd: elsewhere });
  expect(code, stderr).toBe(0);
}

describe("claviger import, standalone", () => {
  let first: Sealed;
  let keyId: string;

  it("gives a key without material its first, and leaves the manifest as it was", async () => {
    await eventuallyRefused(
      () => installation.client().status(),
      status.UNAVAILABLE,
      /MasterKey claviger-system\/secrets has no current version on this node yet/,
    );
    await eventually("claviger status shows it as without material", async () => {
      const { stdout } = await installation.runWithConfig("status");
      return /^claviger-system\/secrets +PendingImport +- +- +on request$/m.test(stdout);
    });
    const result = await importing("--material", await material("first.bin"));
    expect(result).toMatchObject({ code: 0, stderr: "" });
    expect(result.stdout).toMatch(/version 1 has the imported material [0-9a-f]{64}, which does not expire/);
    expect(result.stdout).toMatch(/version 1 is on every node\n$/);
    expect(await manifest()).toBe(MANIFEST);
    keyId = await installation.serving();
    first = await encryptSeed(installation.client(), randomBytes(32));
    await expectOpens(installation.client(), first);
  });

  it("refuses other material, says what to do, and changes nothing", async () => {
    const result = await importing("--material", await material("other.bin"));
    expect(result.code).toBe(1);
    expect(result.stderr).toMatch(
      /^claviger: nothing was imported: the material is not that of any version of this key: .+ NEW_KEY_MATERIAL/,
    );
    expect(await manifest()).toBe(MANIFEST);
    expect(await installation.serving()).toBe(keyId);
  });

  it.each([
    [
      "a file with a newline more",
      async () => material("long.bin", randomBytes(33)),
      /has 33 bytes and SYMMETRIC_DEFAULT needs 32/,
    ],
    ["a file that is not there", async () => join(elsewhere, "none.bin"), /none\.bin cannot be read/],
    [
      "a file of another size altogether",
      async () => material("huge.bin", randomBytes(9000)),
      /is too large/,
    ],
  ])("refuses %s before anything is asked for", async (_, file, message) => {
    const result = await importing("--material", await file());
    expect(result).toMatchObject({ code: 1, stderr: expect.stringMatching(message) });
    expect(await manifest()).toBe(MANIFEST);
  });

  it.each([
    ["no file", [], /one of --material FILE/],
    ["two ways at once", ["--material", "a", "--parameters"], /one of --material FILE/],
    ["a time that is none", ["--material", "a", "--expires", "tomorrow"], /--expires takes a time/],
    ["a time of no zone", ["--material", "a", "--expires", "2027-01-02T03:04:05"], /with its zone/],
    ["an algorithm that there is not", ["--material", "a", "--algorithm", "RSA"], /--algorithm takes RSAES/],
  ])("is used wrongly with %s", async (_, args, message) => {
    expect(await importing(...args)).toMatchObject({ code: 2, stderr: expect.stringMatching(message) });
  });

  it("refuses a key whose material claviger makes", async () => {
    const file = join(elsewhere, "first.bin");
    const args = ["--config", installation.configPath, "--material", file];
    const result = await installation.run("import", "shop/payments", ...args);
    expect(result).toMatchObject({ code: 1, stderr: expect.stringContaining("has origin AWS_KMS") });
  });

  it("rotates to new material where that is said; what is under the old opens", async () => {
    const result = await importing("--new", "--material", join(elsewhere, "other.bin"));
    expect(result).toMatchObject({ code: 0, stderr: "" });
    expect(result.stdout).toContain("version 2 has the imported material");
    const client = installation.client();
    await expectOpens(client, first);
    const second = await eventually("the plugin serves the new version", async () => {
      const sealed = await encryptSeed(client, randomBytes(32));
      return sealed.key_id !== keyId && sealed;
    });
    await expectOpens(client, second);
  });

  it.each([
    ["RSAES_OAEP_SHA_256", "import wrap oaep"],
    ["RSA_AES_KEY_WRAP_SHA_256", "import wrap aes"],
  ])("takes what openssl wrapped by %s, as the manual has it", async (algorithm, block) => {
    const parameters = await importing("--parameters", "-o", "json");
    expect(parameters).toMatchObject({ code: 0, stderr: "" });
    const { publicKey, importToken, algorithms } = JSON.parse(parameters.stdout);
    expect(algorithms).toContain(algorithm);
    await writeFile(join(elsewhere, "wrapping.pem"), publicKey);
    await writeFile(join(elsewhere, "token.b64"), `${importToken}\n`);
    await writeFile(join(elsewhere, "material.bin"), await readFile(join(elsewhere, "other.bin")));
    await runDocumented(block);
    const files = ["--wrapped", join(elsewhere, "wrapped.bin"), "--token", join(elsewhere, "token.b64")];
    const result = await importing("--algorithm", algorithm, ...files);
    expect(result).toMatchObject({ code: 0, stderr: "" });
    expect(result.stdout).toContain("version 2 has the imported material");
  });

  it("gives material an end: refused from then on, and usable again when it was imported again", async () => {
    const client = installation.client();
    const sealed = await encryptSeed(client, randomBytes(32));
    const file = join(elsewhere, "other.bin");
    await importUntilSoon(file);
    const expired =
      /material of version 2 of MasterKey claviger-system\/secrets expired at .+; import the same/;
    await eventuallyRefused(() => client.status(), status.FAILED_PRECONDITION, expired);
    await eventuallyRefused(() => client.encrypt(randomBytes(32)), status.FAILED_PRECONDITION, expired);
    await eventuallyRefused(() => client.decrypt(sealed), status.FAILED_PRECONDITION, expired);
    await expectOpens(client, first);
    const report = await installation.runWithConfig("status");
    expect(report.stdout).toMatch(/^claviger-system\/secrets +Expired +2 /m);
    expect(report.code).toBe(1);
    expect(await importing("--material", file)).toMatchObject({ code: 0 });
    await installation.serving();
    await expectOpens(client, sealed);
  });

  it("leaves the material in no file and no log", async () => {
    const forms = materials.filter((bytes) => bytes.length === 32).flatMap(encodings);
    for (const [path, bytes] of await contentsOf(installation.dir)) {
      expect(
        forms.filter((form) => bytes.includes(form)),
        path,
      ).toEqual([]);
    }
  });
});

describe("claviger import that is interrupted, standalone", () => {
  it.each(["SIGINT", "SIGTERM"] as const)(
    "takes its offer back at %s, says so, and leaves the manifest as it was",
    async (signal) => {
      await using other = await Installation.create();
      const file = join(other.keysDir, "secrets.yaml");
      await other.replace(file, MANIFEST);
      const operator = await other.start("operator");
      await eventually("the key has a public key", async () => {
        const { code } = await other.run("import", KEY, "--config", other.configPath, "--parameters");
        return code === 0;
      });
      // Nobody accepts the offer.
      await operator.process.stop();
      const args = ["--config", other.configPath, "--material", await material(`${signal}.bin`)];
      const child = spawnTracked(process.execPath, [CLAVIGER, "import", KEY, ...args], {
        stdio: ["ignore", "ignore", "pipe"],
      });
      let stderr = "";
      child.stderr?.setEncoding("utf8").on("data", (text) => {
        stderr += text;
      });
      const ended = once(child, "close");
      await eventually("the offer is in the manifest", async () =>
        (await readFile(file, "utf8")).includes("wrappedMaterial"),
      );
      child.kill(signal);
      expect((await ended)[0]).toBe(1);
      expect(stderr).toMatch(
        /^claviger: the import was interrupted: spec\.import of claviger-system\/secrets was taken back; [^\n]+\n$/,
      );
      expect(await readFile(file, "utf8")).toBe(MANIFEST);
    },
  );
});
