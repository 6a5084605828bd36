import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, readdirSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it } from "vitest";
import { eventually } from "../controlplane/wait.ts";
import { Machine } from "./machine.ts";
import { RUNTIME_PACKAGES, unpackedPackages } from "./packages.ts";
import { missingRequirement } from "./requirements.ts";

const missing = await missingRequirement();

/** Boots a machine with a file on its disk, and stays. The arguments are the folder and the packages. */
const PROGRAM = `
  const [folder, packages] = process.argv.slice(1);
  const { Machine } = await import(${JSON.stringify(join(import.meta.dirname, "machine.ts"))});
  const machine = new Machine({ name: "killed", address: "192.168.77.2", folder: folder + "/killed", packages, path: [] });
  await machine.boot();
  await machine.must("echo kept > /etc/kept");
  console.log(machine.id);
  setInterval(() => undefined, 1_000);
`;

const cgroupsOf = (folder: string): string[] =>
  readdirSync("/sys/fs/cgroup/memory").filter((name) => name.includes(folder.split("/").at(-1) ?? ""));

it.skipIf(missing !== undefined)(
  "a process that has a machine is killed => the machine's processes, cgroups and folder are removed",
  async () => {
    const folder = await mkdtemp(join(tmpdir(), "clvk-"));
    const packages = await unpackedPackages("runtime", RUNTIME_PACKAGES);
    const owner = spawn(process.execPath, ["--input-type=module", "-e", PROGRAM, folder, packages], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    const [line] = await once(owner.stdout, "data");
    const id = String(line).trim();
    expect(existsSync(`/proc/${id}`)).toBe(true);
    expect(cgroupsOf(folder)).toHaveLength(1);
    owner.kill("SIGKILL");
    await eventually("nothing is left", async () => {
      return !existsSync(`/proc/${id}`) && cgroupsOf(folder).length === 0 && !existsSync(folder);
    });
  },
);

it.skipIf(missing !== undefined)(
  "a machine halts and boots => its disks are kept, and /run is not",
  async () => {
    const folder = await mkdtemp(join(tmpdir(), "clvk-"));
    const packages = await unpackedPackages("runtime", RUNTIME_PACKAGES);
    const machine = new Machine({
      name: "one",
      address: "192.168.77.2",
      folder: join(folder, "one"),
      packages,
      path: [],
    });
    try {
      await machine.boot();
      await machine.must("echo kept > /etc/kept; echo lost > /run/lost");
      expect(existsSync("/etc/kept")).toBe(false);
      await machine.halt();
      await machine.boot();
      expect(await machine.must("cat /etc/kept; ls /run/lost 2>&1 || true")).toMatch(
        /^kept\nls: cannot access/,
      );
    } finally {
      await machine.remove();
      await rm(folder, { recursive: true, force: true });
    }
  },
);
