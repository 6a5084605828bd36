import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { decideAccess, LEFT_TO_ACCOUNT } from "../../access/decide-access.ts";
import { Secret } from "../../crypto/secret.ts";
import type { GrantRow } from "../../keyring/grant-row.ts";
import { KEYRING_FILE } from "../../keyring/state-folder.ts";
import { KeyringWriter } from "../../keyring/writer.ts";
import { fileSeal } from "../../seal/file.ts";
import { APP, grantRow } from "../../testing/grants.ts";
import { deadline, temporaryFolder } from "../../testing/keyring.ts";
import { AwsGrants } from "./aws-grants.ts";

const NOW = Date.parse("2026-01-02T03:04:05Z");
const sealsOf = (byte: number) => ({ get: () => fileSeal(Secret.take(Buffer.alloc(32, byte))) });

let folder: ReturnType<typeof temporaryFolder>;
/** Two nodes of a site: each has a keyring, and a process that reads it. */
let nodes: readonly { readonly keyring: KeyringWriter; readonly grants: AwsGrants }[];
beforeEach(() => {
  folder = temporaryFolder();
  nodes = ["one", "two"].map((name) => {
    const state = join(folder.path, name);
    return {
      keyring: KeyringWriter.open(state),
      grants: new AwsGrants({ path: join(state, KEYRING_FILE), commits: 0 }, sealsOf(1)),
    };
  });
  for (const { grants } of nodes) grants.start();
});
afterEach(() => {
  for (const { grants, keyring } of nodes) {
    grants.close();
    keyring.close();
  }
  folder.remove();
});

const record = (n: number, row: GrantRow) => {
  const { keyring } = nodes[n] ?? {};
  keyring?.transaction(() => keyring.grants.put(row));
};
/** Decides on a node about the grantee of grant 1, who shows these tokens. */
function effect(n: number, tokens: readonly string[], now = NOW): string | undefined {
  const { grants } = nodes[n] ?? {};
  if (grants === undefined) return undefined;
  const masterKey = { namespace: "apps", name: "secrets" };
  const asked = {
    principal: APP,
    action: "Decrypt",
    keyId: grantRow(1).keyId,
    masterKey,
    context: {},
  } as const;
  const facts = {
    policy: LEFT_TO_ACCOUNT,
    grants: grants.index,
    tokens: grants.tokens(tokens),
    rbac: "denied",
  } as const;
  return decideAccess(asked, facts, now).effect;
}

describe("a grant token", () => {
  test("is good at once on another node, before its keyring has the grant, and useless once it has the end", async () => {
    const token = nodes[0]?.grants.tokenOf(grantRow(1), NOW) ?? "";
    expect(effect(1, [])).toBe("deny");
    const began = performance.now();
    expect(effect(1, [token])).toBe("allow");
    console.log(`a token was accepted on another node after ${(performance.now() - began).toFixed(2)} ms`);
    record(1, grantRow(1, { ended: { phase: "Revoked", at: NOW } }));
    await vi.waitFor(() => expect(effect(1, [token])).toBe("deny"), deadline);
  });

  test("is not needed once the node has the grant, and no harm then", async () => {
    const token = nodes[0]?.grants.tokenOf(grantRow(1), NOW) ?? "";
    record(1, grantRow(1));
    await vi.waitFor(() => expect(effect(1, [])).toBe("allow"), deadline);
    expect(effect(1, [token], NOW + 3_600_000)).toBe("allow");
  });

  test.each([
    ["another site", () => new AwsGrants({ path: "", commits: 0 }, sealsOf(2)).tokenOf(grantRow(1), NOW)],
    ["nobody", () => "AAAA"],
    ["AWS KMS", () => "AQpAM2RhZTk1MGMyNTk2ZmZmMzEyYWVhOWViN2I1MWM4Mzc0MWFiYmU2"],
  ])("of %s is refused by name", (_, make) => {
    expect(() => effect(0, [make()])).toThrow(
      expect.objectContaining({ type: "InvalidGrantTokenException", status: 400 }),
    );
  });

  test("that would be too long is refused by name", () => {
    const context = { a: "x".repeat(7_000) };
    const long = grantRow(1, { constraint: { kind: "Equals", context } });
    expect(() => nodes[0]?.grants.tokenOf(long, NOW)).toThrow(
      expect.objectContaining({ type: "ValidationException" }),
    );
  });
});
