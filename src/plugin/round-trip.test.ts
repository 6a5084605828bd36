import { join } from "node:path";
import { expect, it, onTestFinished } from "vitest";
import { Secret } from "../crypto/secret.ts";
import { LiveKeyring } from "../keyring/live/live-keyring.ts";
import { KEYRING_FILE } from "../keyring/state-folder.ts";
import { KeyringWriter } from "../keyring/writer.ts";
import { fileSeal } from "../seal/file.ts";
import { createRootKey, readRootKey } from "../seal/root-key-file.ts";
import { sealAad } from "../seal/seal.ts";
import { promoted, temporaryFolder, version } from "../testing/keyring.ts";
import { sealsIn } from "../testing/seals.ts";
import { KmsClient } from "./kms-client.ts";
import { Provider } from "./provider.ts";
import { roundTrip } from "./round-trip.ts";
import { SocketServer } from "./socket-server.ts";

it("is not counted as an Encrypt of the API server, which would be taken for proof that it has switched", async () => {
  const server = await serving();
  await roundTrip(server.path);
  expect(server.provider.observation).toMatchObject({ encrypts: 0 });
  expect(server.provider.observation).not.toHaveProperty("lastEncryptAt");
  const apiServer = new KmsClient(server.path, { passesForApiServer: true });
  onTestFinished(() => apiServer.close());
  await apiServer.encrypt({ plaintext: Buffer.alloc(32), uid: "4f5e0f05-8cd1-4d4e-a2d3-3b0b3a1a6a11" });
  expect(server.provider.observation).toMatchObject({ encrypts: 1, lastEncryptAt: 1_000 });
});

it("is not taken for an API server that asks for Status, which would hide that none does", async () => {
  const server = await serving();
  await roundTrip(server.path);
  expect(server.provider.observation).not.toHaveProperty("lastStatusAt");
  const apiServer = new KmsClient(server.path, { passesForApiServer: true });
  onTestFinished(() => apiServer.close());
  await apiServer.status();
  expect(server.provider.observation).toMatchObject({ lastStatusAt: 1_000 });
});

/** Starts a socket that serves a key. */
async function serving(): Promise<SocketServer> {
  const folder = temporaryFolder();
  const rootKey = join(folder.path, "root.key");
  createRootKey(rootKey);
  const writer = KeyringWriter.open(join(folder.path, "state"));
  const row = version(1);
  using material = Secret.random(32);
  const sealed = await fileSeal(readRootKey(rootKey)).wrap(material, sealAad(row));
  writer.apply(promoted({ ...row, sealed }));
  const keyring = new LiveKeyring(join(folder.path, "state", KEYRING_FILE), sealsIn(rootKey));
  keyring.start();
  const log = () => undefined;
  const provider = new Provider({
    name: "secrets",
    ref: { key: row.masterKey },
    keyring,
    now: () => 1_000,
    log,
    onObserved: () => undefined,
  });
  const path = join(folder.path, "secrets.sock");
  const server = new SocketServer({ provider, path, log, observe: () => undefined });
  await server.listen(undefined);
  onTestFinished(async () => {
    await server.close();
    keyring.close();
    writer.close();
    folder.remove();
  });
  return server;
}
