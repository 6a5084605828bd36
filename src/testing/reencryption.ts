/** Small builders for the tests of re-encryption. */
import { snapshotOf } from "../operator/reencryption/ground.ts";
import type { Switch } from "../operator/reencryption/switches.ts";
import type { Work } from "../operator/reencryption/work.ts";
import type { Strays } from "../storage/stored-objects.ts";
import { currentVersion, keyVersion } from "./objects.ts";

/** The second version of apps/secrets, which is current. */
export const v2 = keyVersion(2);
/** The key_ids of the current version and of the one before it. */
export const NEW = currentVersion(v2).kmsKeyId;
export const OLD = currentVersion(keyVersion(1)).kmsKeyId;

/** Returns the settled socket of node a that serves apps/secrets for Secrets. */
export const socketSwitch = (changes: Partial<Switch> = {}): Switch => ({
  node: "a",
  provider: "secrets",
  kmsKeyId: NEW,
  encrypts: 1,
  entries: 1,
  settled: true,
  resources: ["secrets"],
  episode: "e1",
  ...changes,
});

/** An object that a census finds stored in plain text. */
export const STRAY: Strays[number] = { resource: "secrets", namespace: "apps", name: "x", under: "plain" };

/** Returns a census that began on these sockets and found this many objects. */
export const counted = (remaining: number, switches: readonly Switch[]): Work => ({
  kind: "counted",
  ground: snapshotOf(switches),
  found: { remaining, strays: remaining > 0 ? [STRAY] : [], revision: 77 },
});
