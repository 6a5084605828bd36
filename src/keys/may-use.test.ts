import { describe, expect, test } from "vitest";
import { key, tombstone, version } from "../testing/keyring.ts";
import { decideUse, type ObservedUse, useError } from "./may-use.ts";

const NOW = Date.parse("2026-01-02T03:04:05Z");
const deletionDate = "2026-02-01T00:00:00Z";
const imported = (validTo?: number) =>
  version(3, { origin: "EXTERNAL", ...(validTo !== undefined && { validTo }) });
const expired = imported(NOW);

describe("whether a version may be used", () => {
  test.each<[string, ObservedUse, string | undefined]>([
    ["an enabled key => may", { owner: key(), version: version(3) }, undefined],
    ["a key that this keyring does not have => may", { owner: undefined, version: version(3) }, undefined],
    ["a disabled key => KeyDisabled", { owner: key({ enabled: false }), version: version(3) }, "KeyDisabled"],
    [
      "a key that is pending deletion => KeyPendingDeletion",
      { owner: key({ deletionDate }), version: version(3) },
      "KeyPendingDeletion",
    ],
    [
      "pending deletion and disabled => KeyPendingDeletion, as enabling would not help",
      { owner: key({ enabled: false, deletionDate }), version: version(3) },
      "KeyPendingDeletion",
    ],
    ["imported material without validTo => may", { owner: key(), version: imported() }, undefined],
    ["imported material before validTo => may", { owner: key(), version: imported(NOW + 1) }, undefined],
    [
      "imported material at validTo => MaterialExpired",
      { owner: key(), version: expired },
      "MaterialExpired",
    ],
    [
      "material of claviger's own with a validTo => may: it never expires",
      { owner: key(), version: version(3, { validTo: 1 }) },
      undefined,
    ],
    [
      "a disabled key whose material has expired => KeyDisabled",
      { owner: key({ enabled: false }), version: expired },
      "KeyDisabled",
    ],
    [
      "a destroyed version => VersionDestroyed, whatever else is true",
      { owner: key({ enabled: false, deletionDate }), version: expired, tombstone: tombstone(3) },
      "VersionDestroyed",
    ],
    ["no version, as none is current => may", { owner: key(), version: undefined }, undefined],
  ])("%s", (_, observed, code) => {
    const obstacle = decideUse(observed, NOW);
    expect(obstacle?.code).toBe(code);
  });

  test.each<[ObservedUse, string]>([
    [
      { owner: key(), version: undefined, tombstone: tombstone(3) },
      "version 3 of MasterKey apps/secrets was destroyed on 2026-01-02T03:04:05Z: its deletion came due",
    ],
    [
      { owner: key({ deletionDate }), version: version(3) },
      "MasterKey apps/secrets is pending deletion and will be destroyed after 2026-02-01T00:00:00Z; remove spec.deletion to keep it",
    ],
    [
      { owner: key({ enabled: false }), version: version(3) },
      "MasterKey apps/secrets is disabled; set spec.enabled to true to use it again",
    ],
    [
      { owner: key(), version: expired },
      "the material of version 3 of MasterKey apps/secrets expired at 2026-01-02T03:04:05.000Z; import the same material again to use it",
    ],
  ])("the error names the object and says what to do: %#", (observed, message) => {
    const obstacle = decideUse(observed, NOW);
    expect(obstacle && useError(obstacle)).toMatchObject({ code: obstacle?.code, message });
  });
});
