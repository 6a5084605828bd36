import { readFile, statfs } from "node:fs/promises";
import { tmpdir } from "node:os";
import { findExecutable } from "../controlplane/build.ts";
import { run } from "../controlplane/run.ts";

/** Linux' number of overlayfs (statfs(2)). */
const OVERLAYFS = 0x794c7630;

const PROGRAMS = [
  "go",
  "apt-get",
  "dpkg",
  "nsenter",
  "unshare",
  "setpriv",
  "ip",
  "tar",
  "npm",
  "systemd-tmpfiles",
];

interface Requirement {
  readonly missing: string;
  holds(): Promise<boolean>;
}

const REQUIREMENTS: readonly Requirement[] = [
  { missing: "Linux on amd64", holds: async () => process.platform === "linux" && process.arch === "x64" },
  { missing: "root", holds: async () => process.getuid?.() === 0 },
  {
    missing: "Debian 12",
    holds: async () => /^VERSION_CODENAME="?bookworm/m.test(await text("/etc/os-release")),
  },
  {
    missing: "overlayfs in /proc/filesystems",
    holds: async () => /\toverlay$/m.test(await text("/proc/filesystems")),
  },
  {
    missing: "cgroup v1 hierarchies below /sys/fs/cgroup (cgroup v2 alone was not tried)",
    holds: async () => (await text("/proc/mounts")).includes(" /sys/fs/cgroup/memory cgroup "),
  },
  {
    missing: "a temporary folder outside of overlayfs, on which no second overlayfs can lie",
    holds: async () => (await statfs(tmpdir())).type !== OVERLAYFS,
  },
  {
    missing: "the right to make mount, network and cgroup namespaces",
    holds: async () => (await run("unshare", ["-m", "-n", "-C", "true"])).code === 0,
  },
];

/** Returns what this machine lacks for a kubeadm cluster, or undefined if it has all. */
export async function missingRequirement(): Promise<string | undefined> {
  for (const { missing, holds } of REQUIREMENTS) {
    if (!(await holds().catch(() => false))) return missing;
  }
  for (const program of PROGRAMS) {
    if ((await findExecutable(program)) === undefined) return `the program ${program}`;
  }
  return undefined;
}

const text = (file: string): Promise<string> => readFile(file, "utf8");
