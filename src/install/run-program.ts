import { execFile } from "node:child_process";
import { ClavigerError } from "../errors.ts";
import type { Ran, Run } from "./site.ts";

/** A manifest or a kubeconfig is far smaller. */
const MAX_OUTPUT_BYTES = 4 * 1024 * 1024;
const TIMEOUT_MILLISECONDS = 120_000;

/** Runs a program without a shell. Rejects with NotReady if it cannot be started. */
export const runProgram: Run = (command, args) =>
  new Promise<Ran>((resolve, reject) => {
    const options = { maxBuffer: MAX_OUTPUT_BYTES, timeout: TIMEOUT_MILLISECONDS };
    execFile(command, [...args], options, (error, stdout, stderr) => {
      if (error !== null && typeof error.code !== "number") {
        reject(cannotRun(command, String(error.code ?? error.signal ?? "no reason")));
      } else resolve({ code: typeof error?.code === "number" ? error.code : 0, stdout, stderr });
    });
  });

const cannotRun = (command: string, why: string): ClavigerError =>
  new ClavigerError("NotReady", `${command} cannot be run: ${why}; is it in the PATH of this user?`);
