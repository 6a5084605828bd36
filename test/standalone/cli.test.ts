import { describe, expect, it } from "vitest";
import { run } from "../controlplane/run.ts";
import { CLAVIGER, Installation } from "./installation.ts";

/** Runs the command line as a shell does, with these variables added to a bare environment. */
const claviger = (args: readonly string[], environment: Readonly<Record<string, string>> = {}) =>
  run(process.execPath, [CLAVIGER, ...args], {
    env: { PATH: process.env.PATH, HOME: "/nowhere", ...environment },
    deadline: 120_000,
  });

describe("the configuration of a command", () => {
  it("is $CLAVIGER_CONFIG if --config is left out", async () => {
    await using installation = await Installation.create();
    await installation.start("serve");
    await installation.serving();
    const { code, stdout, stderr } = await claviger(["status", "-o", "json"], {
      CLAVIGER_CONFIG: installation.configPath,
    });
    expect(code, stderr).toBe(0);
    expect(JSON.parse(stdout).providers).toMatchObject([{ name: "secrets", status: "ok" }]);
  });

  it.each([{}, { CLAVIGER_CONFIG: "/nowhere/claviger.yaml" }])(
    "is missing (%o) => one line that names the file and how to name another",
    async (environment) => {
      const { code, stdout, stderr } = await claviger(["status"], environment);
      const file = environment.CLAVIGER_CONFIG ?? "/etc/claviger/claviger.yaml";
      expect({ code, stdout }).toEqual({ code: 1, stdout: "" });
      expect(stderr).toBe(
        `claviger: configuration ${file} cannot be read: there is no such file; name this node's configuration with --config FILE or CLAVIGER_CONFIG\n`,
      );
    },
  );
});
