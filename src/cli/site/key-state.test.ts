import { describe, expect, test } from "vitest";
import { versionId } from "../../testing/objects.ts";
import { keyState } from "./key-state.ts";

const NOW = Date.parse("2026-01-02T03:04:05Z");
const current = { versionId: versionId(1), number: 1 };
const masterKey = { namespace: "apps", name: "secrets" };
const key = { ...masterKey, enabled: true };
const imported = { number: 1, masterKey, origin: "EXTERNAL" } as const;

describe("the state of a key in claviger status", () => {
  test("a current version => Enabled, and Expired once its material is", () => {
    expect(keyState({ ...key, current }, imported, "Enabled", NOW)).toBe("Enabled");
    expect(keyState({ ...key, current }, { ...imported, validTo: NOW + 1 }, "Enabled", NOW)).toBe("Enabled");
    expect(keyState({ ...key, current }, { ...imported, validTo: NOW }, "PendingImport", NOW)).toBe(
      "Expired",
    );
  });
  test("no version => what the MasterKey says", () => {
    expect(keyState(key, undefined, "PendingImport", NOW)).toBe("PendingImport");
    expect(keyState(key, undefined, "Creating", NOW)).toBe("Creating");
  });
  test("no version, and the keyring has no MasterKey to ask => NoVersion, never Enabled", () => {
    expect(keyState(key, undefined, undefined, NOW)).toBe("NoVersion");
    expect(keyState(key, undefined, "Enabled", NOW)).toBe("NoVersion");
  });
  test("disabled, pending deletion, destroyed => the later of these", () => {
    const disabled = { ...key, enabled: false, current };
    expect(keyState(disabled, imported, "Disabled", NOW)).toBe("Disabled");
    const deleting = { ...disabled, deletionDate: "2026-02-01T00:00:00Z" };
    expect(keyState(deleting, imported, undefined, NOW)).toBe("PendingDeletion");
    expect(keyState(deleting, undefined, "Destroyed", NOW)).toBe("Destroyed");
  });
});
