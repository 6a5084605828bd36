import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { KeyringReader } from "../../../keyring/reader.ts";
import { KEYRING_FILE } from "../../../keyring/state-folder.ts";
import { KeyringWriter } from "../../../keyring/writer.ts";
import type { Problem } from "../../../keys/version-tester.ts";
import type { KeyVersion, MasterKey } from "../../../resources/resources.ts";
import { temporaryFolder } from "../../../testing/keyring.ts";
import { EARLIER, keyId, keyVersion, masterKey, statusWith, versionId } from "../../../testing/objects.ts";
import { TimeSlice } from "../../time/time-slice.ts";
import { DetailsFollower } from "./details-follower.ts";

const NAME = { namespace: "apps", name: "secrets" };
const created = Date.parse(EARLIER);
const status = statusWith(keyVersion(1));

let folder: ReturnType<typeof temporaryFolder>;
let keyring: KeyringWriter;
let follower: DetailsFollower;
beforeEach(() => {
  folder = temporaryFolder();
  keyring = KeyringWriter.open(folder.path);
  follower = new DetailsFollower(keyring);
});
afterEach(() => {
  keyring.close();
  folder.remove();
});

async function follow(masterKeys: readonly MasterKey[], keyVersions: readonly KeyVersion[] = []) {
  const problems: Problem[] = [];
  await follower.follow({ masterKeys, keyVersions }, problems, new TimeSlice());
  return problems;
}

/** Reads as the API does. */
function read<T>(question: (reader: KeyringReader) => T): T {
  const reader = KeyringReader.open(join(folder.path, KEYRING_FILE));
  try {
    return question(reader);
  } finally {
    reader.close();
  }
}
const details = () => read((reader) => reader.keyDetails(NAME));

describe("what describes a key", () => {
  it("is recorded once the key has a keyId", async () => {
    await follow([masterKey()]);
    expect(details()).toBeUndefined();
    const spec = { description: "orders of 2026", tags: { team: "orders" } };
    await follow([masterKey({ spec, status })]);
    expect(details()).toEqual({
      ...NAME,
      ...spec,
      keyId: keyId(1),
      createdAt: created,
      keySpec: "SYMMETRIC_DEFAULT",
      keyUsage: "ENCRYPT_DECRYPT",
      origin: "AWS_KMS",
      rotation: { enabled: false, periodInDays: 365 },
    });
  });

  it("follows every change", async () => {
    await follow([masterKey({ status })]);
    await follow([masterKey({ spec: { description: "new", tags: { a: "b" } }, status })]);
    expect(details()).toMatchObject({ description: "new", tags: { a: "b" } });
    await follow([masterKey({ status })]);
    expect(details()).toMatchObject({ description: "", tags: {} });
  });

  it("a MasterKey that was created again for the same key => the key is as old as before", async () => {
    const again = (creationTimestamp: string) => masterKey({ metadata: { creationTimestamp }, status });
    await follow([again(EARLIER)]);
    await follow([again("2026-05-05T00:00:00Z")]);
    expect(details()?.createdAt).toBe(created);
  });

  it("a name that passed to another key => the details are the other key's", async () => {
    const other = masterKey({
      metadata: { creationTimestamp: "2026-05-05T00:00:00Z" },
      status: { ...status, keyId: keyId(2) },
    });
    await follow([masterKey({ status })]);
    await follow([other]);
    expect(details()).toMatchObject({ keyId: keyId(2), createdAt: Date.parse("2026-05-05T00:00:00Z") });
  });

  it("a rotation that somebody asked for is told until its version is current", async () => {
    const running = { trigger: "OnDemand", number: 2, startedAt: "2026-03-01T00:00:00Z" } as const;
    const rotation = (phase: "Distributing" | "Switching") => ({
      nextRotationTime: "2026-12-01T00:00:00Z",
      running: { ...running, phase },
    });
    const spec = { rotation: { enabled: true, periodInDays: 100, onDemandLimit: 25 } };
    await follow([masterKey({ spec, status: { ...status, rotation: rotation("Distributing") } })]);
    const told = { enabled: true, periodInDays: 100, nextAt: Date.parse("2026-12-01T00:00:00Z") };
    expect(details()?.rotation).toEqual({ ...told, onDemandStartedAt: Date.parse(running.startedAt) });
    await follow([masterKey({ spec, status: { ...status, rotation: rotation("Switching") } })]);
    expect(details()?.rotation).toEqual(told);
  });

  it("objects that have not changed are not written again", async () => {
    const objects = [masterKey({ status })];
    await follow(objects);
    const before = keyring.stamp();
    await follow(objects);
    await follow([masterKey({ status })]);
    follower = new DetailsFollower(keyring);
    await follow(objects);
    expect(keyring.stamp()).toBe(before);
  });

  it("a damaged record => it is recorded again", async () => {
    await follow([masterKey({ status })]);
    using db = new DatabaseSync(join(folder.path, KEYRING_FILE));
    db.exec("UPDATE key_details SET tags = '[1]'");
    expect(details).toThrow(expect.objectContaining({ code: "KeyringCorrupt" }));
    await follow([masterKey({ status })]);
    expect(details()?.tags).toEqual({});
  });

  it("a keyring that was moved away => a problem, and the pass continues", async () => {
    folder.remove();
    const problems = await follow([masterKey({ status })]);
    expect(problems).toEqual([expect.objectContaining({ reason: "KeyringUnavailable" })]);
  });
});

describe("when and why a version became current", () => {
  const told = () => read((reader) => reader.versionDetails(versionId(2)));

  it("is recorded once it did", async () => {
    await follow([], [keyVersion(2)]);
    expect(told()).toBeUndefined();
    const promotedAt = "2026-03-01T00:00:00Z";
    await follow([], [{ ...keyVersion(2), status: { promotedAt, trigger: "OnDemand" } }]);
    expect(told()).toEqual({
      versionId: versionId(2),
      promotedAt: Date.parse(promotedAt),
      trigger: "OnDemand",
    });
  });
});

it("a keyring of an older release => nothing is told, and all else can be read", () => {
  using db = new DatabaseSync(join(folder.path, KEYRING_FILE));
  db.exec("DROP TABLE key_details; DROP TABLE version_details");
  expect(details()).toBeUndefined();
  expect(read((reader) => reader.versionDetails(versionId(1)))).toBeUndefined();
  expect(read((reader) => reader.snapshot().keys.size)).toBe(0);
});
