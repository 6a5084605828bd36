import { describe, expect, test } from "vitest";
import type { KeyServerStatus } from "../../resources/schemas/key-server.ts";
import { kmsKeyIdOf } from "../../resources/versions.ts";
import { condition, keyAlias, keyId, keyServer, keyVersion } from "../../testing/objects.ts";
import { workKey } from "../work-item.ts";
import { dependentsOf } from "./key-server-dependents.ts";

const v1 = keyVersion(1);
const other = keyVersion(7, { spec: { masterKey: { namespace: "shop", name: "cards" }, keyId: keyId(7) } });
const alias = keyAlias({ spec: { masterKey: "secrets" }, status: { masterKey: "secrets" } });
const view = { keyVersions: [v1, other], keyAliases: [alias] };
const listedOf = ({ metadata, spec }: typeof v1) => ({ name: metadata.name, versionId: spec.versionId });
const provider = { name: "p", socket: "/p", serves: "apps/secrets", encrypts: 1, settled: true };
const well: KeyServerStatus = {
  versions: 2,
  prepared: [],
  providers: [provider],
  seal: { provider: "file", rootKeyId: "root-1" },
  conditions: [condition("Ready")],
};

/** Returns the work after a status changed, sorted. */
function workAfter(change: Partial<KeyServerStatus>, before = well): readonly string[] | "all" {
  const work = dependentsOf(keyServer("one", before), keyServer("one", { ...before, ...change }), view);
  return work === "all" ? "all" : work.map(workKey).sort();
}

describe("a KeyServer changes", () => {
  test.each<readonly [string, Partial<KeyServerStatus>]>([
    [
      "when Status was last asked for",
      { providers: [{ ...provider, lastStatusTime: "2026-01-02T03:04:05Z" }] },
    ],
    [
      "up to where it has read, and how many versions it has",
      { persistedResourceVersion: "99", versions: 3 },
    ],
    [
      "what its Ready says while it is True",
      { conditions: [condition("Ready", { message: "all 3 versions" })] },
    ],
    [
      "what keeps nobody from promoting",
      { conditions: [condition("Ready", { status: "False", reason: "PluginSilent" })] },
    ],
  ])("%s => no key is looked at", (_, change) => {
    expect(workAfter(change)).toEqual([]);
  });

  test("one version is prepared, or no longer listed => its key alone is looked at", () => {
    const listed = { ...well, prepared: [listedOf(other)] };
    expect(workAfter({ prepared: [listedOf(v1)] })).toEqual(["MasterKey apps/secrets"]);
    expect(workAfter({ prepared: [listedOf(other), listedOf(v1)] }, listed)).toEqual([
      "MasterKey apps/secrets",
    ]);
    expect(workAfter({ prepared: [] }, listed)).toEqual(["MasterKey shop/cards"]);
    expect(workAfter({ erased: [listedOf(v1)] })).toEqual(["MasterKey apps/secrets"]);
  });

  test.each<readonly [string, object]>([
    ["its API server switched", { encrypts: 2 }],
    ["it has settled", { settled: false }],
    ["nobody asks any more", { notAskedSince: "2026-01-02T03:04:05Z" }],
    ["an edit is not taken up", { editNotTakenUp: "2026-01-02T03:04:05Z" }],
  ])("a socket: %s => the key that it serves is looked at", (_, change) => {
    expect(workAfter({ providers: [{ ...provider, ...change }] })).toEqual(["MasterKey apps/secrets"]);
  });

  test("a socket serves an alias => the alias and its key are looked at, and whose version it has left", () => {
    const through = { ...provider, serves: "alias apps/main", kmsKeyId: kmsKeyIdOf(other) };
    const moved = { ...through, kmsKeyId: kmsKeyIdOf(v1) };
    expect(workAfter({ providers: [moved] }, { ...well, providers: [through] })).toEqual([
      "KeyAlias apps/main",
      "MasterKey apps/secrets",
      "MasterKey shop/cards",
    ]);
  });

  test("a socket is served no more => the key that it served is looked at", () => {
    expect(workAfter({ providers: [] })).toEqual(["MasterKey apps/secrets"]);
  });

  test.each<readonly [string, Partial<KeyServerStatus>]>([
    ["becomes unwell", { conditions: [condition("Ready", { status: "False", reason: "SealUnavailable" })] }],
    ["has another root key", { seal: { provider: "file", rootKeyId: "root-2" } }],
    ["is another machine", { nodeUid: "other" }],
  ])("and its node %s => everything waits for it and is looked at", (_, change) => {
    expect(workAfter(change)).toBe("all");
  });

  test("it comes or goes => everything is looked at", () => {
    expect(dependentsOf(undefined, keyServer("one", well), view)).toBe("all");
    expect(dependentsOf(keyServer("one", well), undefined, view)).toBe("all");
  });
});
