import { randomBytes } from "node:crypto";
import { expect } from "vitest";
import type { Installation } from "./installation.ts";
import { encryptSeed, expectOpens, type Sealed } from "./kms.ts";

export interface Prepared {
  readonly keyId: string;
  readonly sealed: Sealed;
}

/** Prepares a keyring with one key that has served, and no process that uses it. */
export async function prepare(installation: Installation): Promise<Prepared> {
  const serve = await installation.start("serve");
  const keyId = await installation.serving();
  const sealed = await encryptSeed(installation.client(), randomBytes(32));
  expect(await serve.process.stop()).toEqual({ code: 0, signal: null });
  return { keyId, sealed };
}

/** Expects everything that a plugin must do as long as it lives. */
export async function expectServes(installation: Installation, { keyId, sealed }: Prepared): Promise<void> {
  const client = installation.client();
  expect((await client.status()).key_id).toBe(keyId);
  await expectOpens(client, sealed);
  await expectOpens(client, await encryptSeed(client, randomBytes(32)));
}

/** Runs a command that cannot start. Returns its only line. */
export async function failing(installation: Installation, command: string): Promise<string> {
  const { code, stdout, stderr } = await installation.runWithConfig(command);
  expect({ code, stdout }).toEqual({ code: 1, stdout: "" });
  const complaint = stderr.split("\n").filter((line) => line.startsWith("claviger: "));
  expect(complaint).toHaveLength(1);
  return complaint[0] ?? "";
}
