import { randomBytes } from "node:crypto";
import { readFile } from "node:fs/promises";
import { expect, it } from "vitest";
import { Installation } from "./installation.ts";
import { encryptSeed, expectOpens } from "./kms.ts";

const isRoot = process.getuid?.() === 0;

/** Runs its arguments as the containers of the static pods in deploy/ do: $0 is the only writable folder. */
const CONFINE = `
mount --make-rprivate /
mount --bind "$0" "$0"
mount -o remount,bind,ro /
exec setpriv --bounding-set=-all --inh-caps=-all --no-new-privs -- prlimit --core=1 "$@"
`;

const field = (text: string, name: string) => new RegExp(`^${name}:?\\s+(\\S+)`, "m").exec(text)?.[1];

it.skipIf(!isRoot)(
  "root without capabilities on a read-only root file system, as in the static pod, runs both processes, and they dump no core",
  async () => {
    await using installation = await Installation.create();
    const confine = ["unshare", "--mount", "sh", "-ec", CONFINE, installation.dir, process.execPath];
    const runs = [
      await installation.startAs(confine, "operator"),
      await installation.startAs(confine, "plugin"),
    ];
    const keyId = await installation.serving();
    const client = installation.client();
    await expectOpens(client, await encryptSeed(client, randomBytes(32)));
    expect((await client.status()).key_id).toBe(keyId);
    for (const { process: running } of runs) {
      const status = await readFile(`/proc/${running.pid}/status`, "utf8");
      expect(field(status, "CapEff")).toBe("0000000000000000");
      expect(field(status, "NoNewPrivs")).toBe("1");
      const limits = await readFile(`/proc/${running.pid}/limits`, "utf8");
      expect(field(limits, "Max core file size")).toBe("1");
      const mounts = await readFile(`/proc/${running.pid}/mounts`, "utf8");
      expect(mounts).toMatch(/^\S+ \/ \S+ ro[,\s]/m);
    }
    for (const { process: running } of runs) expect(await running.stop()).toEqual({ code: 0, signal: null });
  },
);
