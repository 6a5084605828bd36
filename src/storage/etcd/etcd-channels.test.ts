import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { etcdMembers } from "./etcd-channels.ts";

test.each(["ca", "cert", "key"])("a pipe in the place of etcd.%s => ConfigInvalid at once", (field) => {
  const folder = mkdtempSync(join(tmpdir(), "claviger-etcd-"));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  const path = (name: string) => join(folder, name);
  for (const name of ["ca", "cert", "key"])
    if (name === field) execFileSync("mkfifo", [path(name)]);
    else writeFileSync(path(name), "not looked at");
  const client = { cert: path("cert"), key: path("key") };
  const config = { endpoints: ["https://127.0.0.1:2379"], ca: path("ca"), client, prefix: "/registry" };
  expect(() => etcdMembers(config)).toThrow(
    expect.objectContaining({
      code: "ConfigInvalid",
      message: `etcd.${field} ${path(field)} cannot be read: it is a pipe and not a regular file`,
    }),
  );
});
