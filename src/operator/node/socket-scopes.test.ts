import { createHash } from "node:crypto";
import { mkdtempSync, rmSync, symlinkSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { KeyServerStatus } from "../../resources/schemas/key-server.ts";
import type { ApiServerStatus } from "./decide-api-server.ts";
import { SocketScopes } from "./socket-scopes.ts";

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

function look(): { readonly resources: readonly string[] | undefined; readonly fault: string | undefined } {
  const [provider] = scopes.of([PROVIDER], undefined, undefined);
  return { resources: provider?.scope?.resources, fault: scopes.file()?.fault };
}

/** Makes an API server's report that it uses the file with this text. */
const goesBy = (text: string, encryptionConfig: "Loaded" | "NotLoaded"): ApiServerStatus => ({
  encryptionConfig,
  configHash: `sha256:${createHash("sha256").update(text).digest("hex")}`,
});
const reported = (said: ApiServerStatus, resources: readonly string[]): KeyServerStatus => ({
  apiServer: said,
  providers: [
    { name: "secrets", socket: SOCKET, serves: "apps/secrets", entries: 1, resources, reads: resources },
  ],
});

describe("by the API server's own word", () => {
  const SECRETS = configuration("secrets");
  const MAPS = configuration("configmaps");
  const of = (said: ApiServerStatus, before?: KeyServerStatus) => scopes.of([PROVIDER], said, before)[0];

  it("it goes by the file on the disk => what that says, taken up, whatever Encrypts came", () => {
    writeFileSync(path, SECRETS);
    expect(of(goesBy(SECRETS, "Loaded"))).toMatchObject({ scope: { resources: ["secrets"] }, takenUp: true });
  });
  it("the file is edited and not taken up => the scopes of the one before stand, and the edit is told of", () => {
    writeFileSync(path, SECRETS);
    of(goesBy(SECRETS, "Loaded"));
    writeFileSync(path, MAPS);
    expect(of(goesBy(SECRETS, "NotLoaded"))).toMatchObject({
      scope: { resources: ["secrets"] },
      takenUp: false,
    });
    expect(of(goesBy(MAPS, "Loaded"))).toMatchObject({ scope: { resources: ["configmaps"] }, takenUp: true });
  });
  it("the operator is started again in between => what it reported of that very file stands", () => {
    writeFileSync(path, MAPS);
    const before = reported(goesBy(SECRETS, "NotLoaded"), ["secrets"]);
    expect(of(goesBy(SECRETS, "NotLoaded"), before)).toMatchObject({
      scope: { resources: ["secrets"], reads: ["secrets"] },
      takenUp: false,
    });
  });
  it("nobody has read the file that it goes by => nobody knows what is on the socket", () => {
    writeFileSync(path, MAPS);
    const before = reported(goesBy("another one", "Loaded"), ["secrets"]);
    const provider = of(goesBy(SECRETS, "NotLoaded"), before);
    expect(provider).not.toHaveProperty("scope");
    expect(provider).toMatchObject({ takenUp: false });
  });
  it("an edit changes nothing for the provider, as one of a comment => nothing to be taken up", () => {
    writeFileSync(path, SECRETS);
    of(goesBy(SECRETS, "Loaded"));
    writeFileSync(path, `# a comment\n${SECRETS}`);
    expect(of(goesBy(SECRETS, "NotLoaded"))).toMatchObject({
      scope: { resources: ["secrets"] },
      takenUp: true,
    });
  });
  it("an edit that cannot be read => the scopes of the one before stand, and it is not taken up", () => {
    writeFileSync(path, SECRETS);
    of(goesBy(SECRETS, "Loaded"));
    writeFileSync(path, "resources: [");
    expect(of(goesBy(SECRETS, "NotLoaded"))).toMatchObject({
      scope: { resources: ["secrets"] },
      takenUp: false,
    });
  });
  it("it was started without a file => nothing is on the socket, and what the file on the disk says is not taken up", () => {
    const nothing = { scope: { entries: 0, resources: [], reads: [] } };
    writeFileSync(path, SECRETS);
    expect(of({ encryptionConfig: "NotConfigured" })).toMatchObject({ ...nothing, takenUp: false });
    writeFileSync(path, SECRETS.replaceAll(SOCKET, "/run/other.sock"));
    expect(of({ encryptionConfig: "NotConfigured" })).toMatchObject({ ...nothing, takenUp: true });
    writeFileSync(path, "resources: [");
    expect(of({ encryptionConfig: "NotConfigured" })).toMatchObject({ ...nothing, takenUp: false });
    scopes = new SocketScopes(undefined);
    expect(of({ encryptionConfig: "NotConfigured" })).toMatchObject({ ...nothing, takenUp: true });
  });
  it("it does not tell => the file on the disk, and Encrypts must show that it is taken up", () => {
    writeFileSync(path, SECRETS);
    const provider = of({ encryptionConfig: "Unknown" });
    expect(provider).toMatchObject({ scope: { resources: ["secrets"] } });
    expect(provider).not.toHaveProperty("takenUp");
  });
});

it("an edit is noticed once, and what it says is reported", () => {
  writeFileSync(path, configuration("secrets"));
  expect(scopes.changed()).toBe(true);
  expect(look()).toEqual({ resources: ["secrets"], fault: undefined });
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
    expect(look().fault).toEqual(expect.any(String));
    expect(scopes.changed()).toBe(false);
  }
  rmSync(path, { force: true });
  writeFileSync(path, configuration("secrets"));
  expect(scopes.changed()).toBe(true);
  expect(look()).toEqual({ resources: ["secrets"], fault: undefined });
});

it("a file put in place with an old time of modification, as cp -p and mv do, was edited when it was put there", () => {
  const before = Date.now();
  writeFileSync(path, configuration("secrets"));
  const longAgo = new Date("2026-01-02T03:04:05Z");
  utimesSync(path, longAgo, longAgo);
  const [provider] = scopes.of([PROVIDER], undefined, undefined);
  // File systems use a coarse clock that is some milliseconds behind.
  expect(provider?.editedAt).toBeGreaterThan(before - 1_000);
});
