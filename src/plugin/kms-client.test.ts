import { mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { beforeEach, expect, onTestFinished, test } from "vitest";
import { callFault, KmsClient } from "./kms-client.ts";

let socket: string;
beforeEach(() => {
  const folder = mkdtempSync(join(tmpdir(), "claviger-client-"));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  socket = join(folder, "kms.sock");
});

async function faultOfStatus(): Promise<string> {
  const client = new KmsClient(socket);
  onTestFinished(() => client.close());
  return client.status().then(() => "none", callFault);
}

test("no socket is there => the system's word for it, and what to do", async () => {
  expect(await faultOfStatus()).toBe(`no plugin listens (connect ENOENT ${socket}): start it`);
});

test("something else answers on the socket => its own words, and nobody is told to start a plugin", async () => {
  const other = createServer((connection) => void connection.end("hello"));
  await new Promise<void>((resolve) => other.listen(socket, resolve));
  onTestFinished(() => void other.close());
  expect(await faultOfStatus()).not.toMatch(/start it|^none$/);
});

test("an answer of the provider => it stays as it is", () => {
  expect(callFault(new Error("14 UNAVAILABLE: there is no keyring yet"))).toBe(
    "14 UNAVAILABLE: there is no keyring yet",
  );
});
