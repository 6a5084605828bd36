import type { KMSClient } from "@aws-sdk/client-kms";
import { expect } from "vitest";
import { run } from "../controlplane/run.ts";
import { CALLS } from "./every-operation.ts";
import type { PythonClients } from "./python-clients.ts";

/** Calls every served operation with the AWS SDK for JavaScript, and checks its answers. */
export async function callEveryOperation(kms: KMSClient, served: readonly string[]): Promise<void> {
  expect(served.filter((name) => CALLS[name] === undefined)).toEqual([]);
  const made = {};
  const failed: unknown[] = [];
  for (const [name, call] of Object.entries(CALLS).filter(([name]) => served.includes(name)))
    await call(kms, made).catch((error) => failed.push({ name, error }));
  expect(failed).toEqual([]);
}

export interface BotoCall {
  readonly operation: string;
  readonly case: string;
  readonly expected: string;
  readonly outcome: string;
}

/** Calls every served operation with boto3, checks its outcomes and returns them. */
export async function callWithBoto3(
  python: PythonClients,
  env: NodeJS.ProcessEnv,
  served: readonly string[],
): Promise<readonly BotoCall[]> {
  const options = { env, stdin: JSON.stringify(served), deadline: 300_000 };
  const { code, stdout, stderr } = await run(...python.program("every_operation.py"), options);
  expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
  const calls = stdout
    .trim()
    .split("\n")
    .map((line): BotoCall => JSON.parse(line));
  expect(calls.filter(({ expected, outcome }) => expected !== outcome)).toEqual([]);
  const worked = calls.filter(({ outcome }) => outcome === "ok").map(({ operation }) => operation);
  expect([...new Set(worked)].sort()).toEqual(served);
  return calls;
}
