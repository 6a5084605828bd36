import { mkdtempSync, rmSync, symlinkSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { SocketScopes } from "./socket-scopes.ts";
import type { Problem } from "./version-tester.ts";

const SOCKET = "/run/claviger/secrets.sock";
const PROVIDER = { name: "secrets", socket: SOCKET, ref: { key: { namespace: "apps", name: "secrets" } } };
const configuration = (resource: string): string => `
apiVersion: apiserver.config.k8s.io/v1
kind: EncryptionConfiguration
resources:
  - resources: [${resource}]
    providers:
      - kms: { apiVersion: v2, name: secrets, endpoint: "unix://${SOCKET}" }
      - identity: {}
`;

let folder: string;
let path: string;
let scopes: SocketScopes;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "claviger-scopes-"));
  path = join(folder, "encryption.yaml");
  scopes = new SocketScopes(path);
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

function look(): { readonly resources: readonly string[] | undefined; readonly problems: Problem[] } {
  const problems: Problem[] = [];
  const [provider] = scopes.of([PROVIDER], undefined, problems);
  return { resources: provider?.scope?.resources, problems };
}

it("an edit is noticed once, and what it says is reported", () => {
  writeFileSync(path, configuration("secrets"));
  expect(scopes.changed()).toBe(true);
  expect(look()).toEqual({ resources: ["secrets"], problems: [] });
  expect(scopes.changed()).toBe(false);
  writeFileSync(path, configuration("configmaps"));
  expect(scopes.changed()).toBe(true);
  expect(look().resources).toEqual(["configmaps"]);
  expect(scopes.changed()).toBe(false);
});

it.each([
  ["is missing", () => undefined],
  ["cannot be read", () => writeFileSync(path, "resources: [")],
  ["the system does not let us look at", () => symlinkSync("encryption.yaml", path)],
])("a file that %s is a problem at each look, and no change until it is another one", (_, make) => {
  make();
  for (let round = 0; round < 2; round++) {
    expect(look().problems).toEqual([expect.objectContaining({ reason: "EncryptionConfigInvalid" })]);
    expect(scopes.changed()).toBe(false);
  }
  rmSync(path, { force: true });
  writeFileSync(path, configuration("secrets"));
  expect(scopes.changed()).toBe(true);
  expect(look()).toEqual({ resources: ["secrets"], problems: [] });
});

it("a file put in place with an old time of modification, as cp -p and mv do, was edited when it was put there", () => {
  const before = Date.now();
  writeFileSync(path, configuration("secrets"));
  const longAgo = new Date("2026-01-02T03:04:05Z");
  utimesSync(path, longAgo, longAgo);
  const [provider] = scopes.of([PROVIDER], undefined, []);
  // File systems keep time by a coarse clock, some milliseconds behind.
  expect(provider?.editedAt).toBeGreaterThan(before - 1_000);
});
