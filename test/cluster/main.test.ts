import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { clientKeys, clientKeysServed } from "../aws/client-keys.ts";
import { callEveryOperation, callWithBoto3 } from "../aws/every-client.ts";
import { servedOperations } from "../aws/every-operation.ts";
import { PastedTerminal } from "../aws/pasted.ts";
import { PythonClients } from "../aws/python-clients.ts";
import { controlPlaneBinaries } from "../controlplane/binaries.ts";
import { run } from "../controlplane/run.ts";
import { eventually, Hopeless } from "../controlplane/wait.ts";
import { manifests } from "./manifests.ts";

const binaries = await controlPlaneBinaries();

describe.skipIf(binaries === undefined)("npm run cluster", () => {
  it("names every process, and AWS clients use it by the lines that it prints, and Ctrl-C stops all of them in good order and removes everything", async () => {
    const child = spawn("npm", ["run", "-s", "cluster"], { stdio: ["ignore", "pipe", "inherit"] });
    let output = "";
    child.stdout.setEncoding("utf8").on("data", (text: string) => {
      output += text;
    });
    // "close" comes after all of its output, which its exit does not promise.
    const closed = once(child, "close");
    try {
      // Each part of it may take as long as other tests wait for it.
      await eventually(
        "it is ready",
        async () => {
          if (child.exitCode !== null) throw new Hopeless(output);
          return output.includes("Ctrl-C stops and removes everything.");
        },
        { deadline: 600_000 },
      );
      const folder = /Everything lies in (\S+)\./.exec(output)?.[1] ?? "";
      expect(existsSync(folder)).toBe(true);
      // Run by the Node of this test, because the Node in PATH may be too old.
      expect(output).toContain(
        `alias claviger='${process.execPath} ${join(process.cwd(), "bin", "claviger.js")}'`,
      );
      const processes = [...output.matchAll(/^ {2}(\d+) {2}(\S+)/gm)];
      expect(processes.map(([, , name]) => name)).toEqual([
        ...["etcd", "kube-apiserver", "kube-controller-manager", "plugin", "operator", "api"],
      ]);
      await useAwsApi(output);
      child.kill("SIGINT");
      expect(await closed).toEqual([0, null]);
      expect(output).toMatch(/Stopping …\nEverything is stopped and removed\.\n$/);
      expect(existsSync(folder)).toBe(false);
      for (const [, pid] of processes) expect(isAlive(Number(pid))).toBe(false);
    } finally {
      if (child.exitCode === null) {
        child.kill("SIGINT");
        await closed;
      }
    }
  });
});

/** Uses the AWS KMS API as somebody does who pastes what was printed, with every operation. */
async function useAwsApi(printed: string): Promise<void> {
  expect(printed).toMatch(/^ {2}round trip {3}ok: /m);
  const kubeconfig = /KUBECONFIG=(\S+)/.exec(printed)?.[1] ?? "";
  const apply = ["--kubeconfig", kubeconfig, "apply", "-f", "-"];
  const applied = await run(binaries?.kubectl ?? "", apply, { stdin: manifests(...clientKeys()) });
  expect(applied).toMatchObject({ code: 0, stderr: "" });
  const python = await PythonClients.install();
  const PATH = `${python === undefined ? "" : `${python.bin}:`}${process.env.PATH}`;
  const terminal = await PastedTerminal.open(printed, { PATH, HOME: tmpdir() });
  const served = await terminal.withClient(async (kms) => {
    await clientKeysServed(kms);
    const names = await servedOperations(kms);
    await callEveryOperation(kms, names);
    return names;
  });
  // PythonClients.install has said why if there is no Python.
  if (python === undefined) return;
  expect(await terminal.firstCommand()).toMatchObject({ CiphertextBlob: expect.any(String) });
  await callWithBoto3(python, terminal.environment, served);
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}
