import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { parseConfig } from "../../src/config/config.ts";
import { type Console, serveConsole } from "../../src/console/console.ts";
import type { KeyServer, MasterKey } from "../../src/resources/resources.ts";
import type { MasterKeyStatus } from "../../src/resources/schemas/master-key.ts";
import { FakeApiServer, json } from "../../src/testing/fake-api-server.ts";
import { condition, keyId, masterKey, versionId } from "../../src/testing/objects.ts";
import { freePort } from "../controlplane/ports.ts";
import { browserProgram } from "./browser.ts";
import { ConsolePage, DESKTOP, PHONE } from "./page.ts";

const program = await browserProgram();
const TOKEN = "a.token-of_mine";
/** Texts that would run, load or hide something if a page took them for more than texts. */
const HOSTILE = '<img src="x" onerror="document.title=1"><script>document.title=2</script>\u202eevil';
const DARK = "rgb(23, 24, 27)";

const ago = (minutes: number): string => new Date(Date.now() - minutes * 60_000).toISOString();
const enabled = (number: number): MasterKeyStatus => ({
  keyId: keyId(1),
  keyState: "Enabled",
  currentVersion: { number, versionId: versionId(number), kmsKeyId: "k", promotedAt: ago(9) },
});
const said = (type: string, status: "True" | "False", reason: string, message = "") => ({
  ...condition(type, { status, reason, message }),
  lastTransitionTime: ago(8),
});

/** A key whose stored data are written again, and a key with which nothing is wrong. */
const running = (done: number): MasterKey =>
  masterKey({
    metadata: { namespace: "claviger-system", name: "secrets" },
    status: {
      ...enabled(3),
      rotation: { running: { trigger: "OnDemand", number: 3, startedAt: ago(9), phase: "Reencrypting" } },
      reencryption: {
        ...{ kmsKeyId: "k", phase: "Reencrypting", verified: false, resources: ["secrets"] },
        ...{ startedAt: ago(9), round: 1, done, total: 4_000, secondsLeft: 95 },
      },
      conditions: [said("Reencrypted", "False", "Reencrypting", "secrets are written again under version 3")],
    },
  });
const quiet = masterKey({
  metadata: { namespace: "shop", name: "orders" },
  status: {
    ...enabled(1),
    rotation: { nextRotationTime: ago(-200 * 24 * 60) },
    conditions: [said("Reencrypted", "True", "Verified")],
  },
});
const node = (name: string, conditions: NonNullable<KeyServer["status"]>["conditions"]): object => ({
  kind: "KeyServer",
  metadata: { name },
  status: {
    providers: [{ name: "secrets", socket: "/s", serves: "claviger-system/secrets", version: 3 }],
    apiServer: { encryptionConfig: "Loaded" },
    conditions,
  },
});
const well = said("Ready", "True", "Reporting");
const silent = said(
  "Ready",
  "False",
  "NodeNotHeardOf",
  "node cp-3 has not renewed its Lease for 40 s: start its operator",
);
const versions = {
  columnDefinitions: ["Namespace", "MasterKey", "Version", "State", "Key_ID", "Age"].map((name) => ({
    name,
  })),
  rows: [
    { cells: ["claviger-system", "secrets", 3, "Current", "18e548cdc3af47a9b8a583c0631245d4", "9m"] },
    { cells: ["claviger-system", "secrets", 2, "Retired", "5f0c1e2ad3b94c1f8e7d6c5b4a392817", "366d"] },
    { cells: ["shop", "orders", 1, "Current", "0b1c2d3e4f5061728394a5b6c7d8e9f0", "12d"] },
  ],
};

describe.skipIf(program === undefined)("the page", () => {
  let fake: FakeApiServer;
  let served: Console | undefined;
  let shown: ConsolePage;
  let masterKeys: readonly MasterKey[] = [];
  let keyServers: readonly object[] = [];
  /** The list that the API server refuses. */
  let refused = "";

  beforeAll(async () => {
    if (program === undefined) throw new Error("there is no browser");
    fake = await FakeApiServer.start();
    fake.answer((call) => {
      const lists: Readonly<Record<string, unknown>> = {
        masterkeys: { items: masterKeys },
        keyservers: { items: keyServers },
        keyaliases: { items: [] },
        keyversions: versions,
      };
      const lease = { spec: { renewTime: new Date().toISOString() } };
      const asked = call.path.split("/").at(-1) ?? "";
      const refusal = { kind: "Status", code: 403, message: `${asked} is forbidden` };
      const answer = asked === refused ? json(refusal, 403) : json(lists[asked] ?? lease);
      answer(call);
    });
    const listen = `127.0.0.1:${await freePort()}`;
    const config = {
      ...{ apiVersion: "config.claviger.dev/v1alpha1", kind: "NodeConfig", nodeName: "cp-1" },
      ...{ stateDir: "/state", seal: { file: { path: "/root.key" } } },
      ...{ kubeconfig: fake.kubeconfig, console: { listen } },
    };
    served = serveConsole(parseConfig(JSON.stringify(config), "/claviger.yaml"), () => undefined);
    shown = await ConsolePage.open(program, `http://${listen}`);
  });
  afterAll(async () => {
    await shown?.[Symbol.asyncDispose]();
    await served?.close();
    await fake?.stop();
  });
  beforeEach(() => {
    masterKeys = [running(1_400), quiet];
    keyServers = [node("cp-1", [well]), node("cp-2", [well]), node("cp-3", [silent])];
  });

  it("shows how far a re-encryption is, and moves with it", async () => {
    await shown.signIn(TOKEN);
    const key = shown.row("keys", "claviger-system/secrets");
    await key.getByText("1400 of 4000 objects, 95 seconds left").waitFor();
    await shown.row("keys", "shop/orders").getByText("Verified").waitFor();
    await shown.picture("desktop");
    masterKeys = [running(2_800), quiet];
    await key.getByText("2800 of 4000 objects").waitFor();
    expect(await key.getByRole("progressbar").getAttribute("value")).toBe("2800");
  });

  it("says what is wrong and what to do, first what needs somebody", async () => {
    await shown.page.getByText("1 thing is wrong.").waitFor();
    const items = shown.page.locator("#problems li");
    expect(await items.nth(0).textContent()).toMatch(
      /^KeyServer cp-3: NodeNotHeardOf .+: start its operator$/,
    );
    expect(await items.nth(1).textContent()).toMatch(/^MasterKey .+: Reencrypting .+Passes by itself/);
  });

  it("says that all is in order only to a caller who sees all", async () => {
    keyServers = [node("cp-1", [well])];
    await shown.page.getByText("Everything is in order.").waitFor();
    refused = "keyservers";
    await shown.page.getByText("This token does not see everything.").waitFor();
    await shown.page.getByText("Not shown: keyservers is forbidden").waitFor();
    expect(await shown.page.getByText(/^(?:Nothing is wrong|Everything is in order)\.$/).count()).toBe(0);
    refused = "";
  });

  it("takes no name and no message for more than a text", async () => {
    keyServers = [node("cp-1", [well]), node(HOSTILE, [said("Ready", "False", "Bad", HOSTILE)])];
    const item = shown.page.locator("#problems li", { hasText: ": Bad" });
    await item.waitFor();
    expect(await item.locator("p").textContent()).toBe(HOSTILE.replace("\u202e", "\\u202e"));
    await shown.row("nodes", /<img src="x" onerror/).waitFor();
    expect(await shown.page.locator("main img, main script").count()).toBe(0);
    expect(await shown.page.title()).toBe("claviger");
  });

  it("fits a phone, in the dark", async () => {
    await shown.page.setViewportSize(PHONE);
    await shown.page.emulateMedia({ colorScheme: "dark" });
    await shown.page.getByText("KeyServer cp-3: NodeNotHeardOf").waitFor();
    expect(await shown.page.evaluate("document.documentElement.scrollWidth")).toBe(PHONE.width);
    expect(await shown.page.evaluate("getComputedStyle(document.body).backgroundColor")).toBe(DARK);
    await shown.picture("phone");
    await shown.page.setViewportSize(DESKTOP);
    await shown.page.emulateMedia({ colorScheme: "light" });
  });

  it("keeps nothing of a caller who signed out, and kept his token nowhere", async () => {
    await shown.signOut();
    expect(await shown.page.locator("body").textContent()).not.toContain("claviger-system");
    const kept = "[document.cookie, localStorage.length, sessionStorage.length]";
    expect(await shown.page.evaluate(kept)).toEqual(["", 0, 0]);
    expect(await shown.page.content()).not.toContain(TOKEN);
    expect([...shown.urls, ...shown.bodies].filter((text) => text.includes(TOKEN))).toEqual([]);
  });

  it("needs nothing but itself, and breaks no rule of its own", () => {
    expect(new Set(shown.urls.map((url) => new URL(url).origin))).toEqual(new Set([shown.address]));
    expect(shown.complaints).toEqual([]);
  });
});
