import { randomBytes } from "node:crypto";
import { existsSync } from "node:fs";
import { chmod, copyFile, mkdir, rename, rm, symlink, truncate, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { status } from "@grpc/grpc-js";
import { describe, expect, it } from "vitest";
import { eventually } from "../controlplane/wait.ts";
import { expectServes, prepare } from "./faults.ts";
import { Installation, masterKey } from "./installation.ts";
import { eventuallyRefused } from "./kms.ts";

describe("a root key", () => {
  it.each([
    {
      what: "is missing",
      damage: (path: string) => rename(path, `${path}.away`),
      mend: (path: string) => rename(`${path}.away`, path),
      says: /root\.key does not exist; restore it from your backup/,
    },
    {
      what: "can be read by others",
      damage: (path: string) => chmod(path, 0o644),
      mend: (path: string) => chmod(path, 0o600),
      says: /root\.key has mode 0644 and can be opened by others; run: chmod 600 .*root\.key/,
    },
    {
      what: "lies in a folder that others may change",
      damage: (path: string) => chmod(join(path, ".."), 0o777),
      mend: (path: string) => chmod(join(path, ".."), 0o700),
      // The keyring is there too, and is checked first.
      says: /state folder .* has mode 0777, and others can replace what lies in it; run: chmod go-w .*state/,
    },
    {
      what: "is a link to one below a folder that others may change",
      damage: async (path: string) => {
        const inner = join(path, "..", "open", "inner");
        await mkdir(inner, { recursive: true, mode: 0o700 });
        await rename(path, join(inner, "key"));
        await symlink(join(inner, "key"), path);
        await chmod(join(inner, ".."), 0o777);
      },
      mend: (path: string) => chmod(join(path, "..", "open"), 0o700),
      says: /can be replaced: folder .* has mode 0777, and others can replace what lies in it; run: chmod go-w /,
    },
    {
      what: "is too short",
      damage: async (path: string) => {
        await copyFile(path, `${path}.away`);
        await truncate(path, 31);
      },
      mend: (path: string) => rename(`${path}.away`, path),
      says: /root\.key has 31 bytes instead of 32; restore it from your backup/,
    },
    {
      what: "is another one",
      damage: async (path: string) => {
        await rename(path, `${path}.away`);
        await writeFile(path, randomBytes(32), { mode: 0o600 });
      },
      mend: (path: string) => rename(`${path}.away`, path),
      says: /version 1 of key .* is sealed under root key .* root\.key holds .*: put the right root key there|version 1 of key .*put the right root key there/,
    },
    {
      what: "is a folder",
      damage: async (path: string) => {
        await rename(path, `${path}.away`);
        await mkdir(path);
      },
      mend: async (path: string) => {
        await rm(path, { recursive: true });
        await rename(`${path}.away`, path);
      },
      says: /root\.key is not a regular file/,
    },
  ])(
    "that $what makes Status UNAVAILABLE with file and remedy, and heals without a restart",
    async ({ damage, mend, says }) => {
      await using installation = await Installation.create();
      const { keyId, sealed } = await prepare(installation);
      await damage(installation.rootKeyPath);
      await installation.start("serve");
      await eventuallyRefused(() => installation.client().status(), status.UNAVAILABLE, says);
      await eventuallyRefused(() => installation.client().encrypt(randomBytes(32)), status.UNAVAILABLE, says);
      await eventuallyRefused(() => installation.client().decrypt(sealed), status.UNAVAILABLE, says);
      expect(await installation.client().health("")).toBe("NOT_SERVING");

      await mend(installation.rootKeyPath);
      expect(await installation.serving()).toBe(keyId);
      await expectServes(installation, { keyId, sealed });
      // A second key can be created, so the operator has recovered as well.
      await installation.manifest("later.yaml", masterKey("later"));
      const operator = installation.runs.at(-1);
      await operator?.line(/MasterKey claviger-system\/later: version 1 is current/);
    },
  );

  it("that vanishes while it runs stops nothing that was opened before", async () => {
    await using installation = await Installation.create();
    const prepared = await prepare(installation);
    await installation.start("serve");
    await installation.serving();
    await rm(installation.rootKeyPath);
    await expectServes(installation, prepared);
  });

  it("is never made anew beside a keyring", async () => {
    await using installation = await Installation.create();
    await prepare(installation);
    await rm(installation.rootKeyPath);
    await installation.start("operator");
    await installation.start("plugin");
    await eventuallyRefused(
      () => installation.client().status(),
      status.UNAVAILABLE,
      /root\.key does not exist/,
    );
    await installation.manifest("later.yaml", masterKey("later"));
    await installation.runs.at(-2)?.line(/MasterKey claviger-system\/later/);
    expect(existsSync(installation.rootKeyPath)).toBe(false);
  });

  it("that was removed before anything was sealed: nobody is sent to a backup, the operator and doctor alike", async () => {
    await using installation = await Installation.create();
    await rm(installation.keysDir, { recursive: true });
    await mkdir(installation.keysDir);
    const first = await installation.start("operator");
    await first.line(/a new root key was made/);
    await eventually("the keyring is there", async () => existsSync(installation.keyringPath));
    await first.process.stop();
    await rm(installation.rootKeyPath);
    const operator = await installation.start("operator");
    await installation.manifest("secrets.yaml", masterKey("secrets"));
    const says = /root\.key does not exist, and this node has no version yet; if this is the first node/;
    await operator.line(says);
    expect(await operator.text()).not.toContain("restore it from your backup");
    const doctor = await installation.run("doctor", "--config", installation.configPath);
    expect(doctor.stdout).toMatch(says);
    expect(doctor.stdout).not.toContain("restore it from your backup");
  });
});
