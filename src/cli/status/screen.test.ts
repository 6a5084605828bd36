import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { printableLines } from "../../printable.ts";
import { renderStyles } from "../terminal/style.ts";
import type { KeyReport, StatusReport } from "./report.ts";
import { dataText, screen } from "./screen.ts";
import { wrongIn } from "./wrong.ts";

const NOW = Date.parse("2026-01-02T03:04:05Z");
const KEY_ID = "18e548cdc3af47a9b8a583c0631245d4";

const key: KeyReport = {
  key: "claviger-system/secrets",
  keyId: "ece62271-ada3-4c53-ba37-9f5001eacd55",
  state: "Enabled",
  enabled: true,
  currentVersion: 3,
  kmsKeyId: KEY_ID,
  nextRotation: "2026-12-31T03:04:05Z",
  storedData: {
    reason: "Verified",
    message: "a census of etcd found secrets under it only",
    needsSomebody: false,
    censusTime: "2026-01-02T03:00:05Z",
  },
};

const report: StatusReport = {
  node: "cp-1",
  providers: [
    {
      name: "secrets",
      socket: "/run/claviger/secrets.sock",
      serves: "claviger-system/secrets",
      status: "ok",
      kmsKeyId: KEY_ID,
      encrypts: ["secrets", "configmaps"],
    },
  ],
  apiServer: { encryptionConfig: "Loaded", inStep: true },
  keys: [key],
  nodes: [
    {
      name: "cp-1",
      ready: "True",
      providers: [{ name: "secrets", serves: "claviger-system/secrets", version: 3 }],
    },
  ],
};

const shown = (of: StatusReport, { width = 80, wide = false, colour = false } = {}): string =>
  renderStyles(screen(of, wrongIn(of, new Map()), { now: NOW, width, wide }), colour, printableLines);

const SCREEN = `PROVIDER  ENCRYPTS             UNDER                       STATUS
secrets   secrets, configmaps  claviger-system/secrets v3  ok

API server: it uses the EncryptionConfiguration on the disk

KEY                      STATE    VERSION  STORED DATA         NEXT ROTATION
claviger-system/secrets  Enabled  3        Verified 4 min ago  in 363 days

NODE  READY  SERVES
cp-1  True   secrets: claviger-system/secrets v3

Nothing is wrong.
`;

test("a node that is well => keys, what is encrypted under them, nodes and the next rotation, in 80 columns", () => {
  expect(shown(report)).toBe(SCREEN);
});

test("docs/commands.md shows that screen", () => {
  const page = readFileSync(join(import.meta.dirname, "../../../docs/commands.md"), "utf8");
  expect(page).toContain(`\`\`\`\n${SCREEN}\`\`\``);
});

test("the two ids of a key have names that nobody confuses, in the wide view only", () => {
  const wide = shown(report, { width: 200, wide: true });
  expect(wide).toMatch(/^KEY +STATE +VERSION +KEY_ID +MASTERKEY UUID +STORED DATA +NEXT ROTATION$/m);
  expect(shown(report, { wide: true })).toContain(` ${KEY_ID} `);
  expect(shown(report)).not.toContain(KEY_ID);
});

test("the cluster in place of a node => what is encrypted stands beside each key, in 80 columns too", () => {
  const { node: _, apiServer: __, ...rest } = report;
  const cluster = { ...rest, providers: [], keys: [{ ...key, encrypts: ["secrets", "configmaps"] }] };
  expect(shown(cluster, { width: 200 })).toMatch(
    /^KEY +STATE +VERSION +ENCRYPTS +STORED DATA +NEXT ROTATION\nclaviger-system\/secrets +Enabled +3 +secrets, configmaps +Verified/,
  );
  for (const line of shown(cluster).split("\n")) expect(line.length).toBeLessThanOrEqual(80);
});

test("with colours the text is the same but for the colours", () => {
  const coloured = shown(report, { colour: true });
  expect(coloured).toContain("\x1b[32mok\x1b[0m");
  // biome-ignore lint/suspicious/noControlCharactersInRegex: the escape sequences are what is taken out.
  expect(coloured.replaceAll(/\x1b\[\d+m/g, "")).toBe(SCREEN);
});

const LONG = "a".repeat(60);
const sick: StatusReport = {
  ...report,
  providers: [
    {
      name: LONG,
      socket: `/run/${LONG}.sock`,
      serves: `${LONG}/${LONG}`,
      status: "no plugin listens (ENOENT): start it",
      encrypts: ["secrets", "configmaps", "!events", "*.example.com"],
    },
  ],
  keys: [
    {
      ...key,
      key: `${LONG}/${LONG}`,
      storedData: { reason: "NodesDiffer", message: `node ${LONG} \x1b[2J`, needsSomebody: true },
    },
  ],
  nodes: [{ name: LONG, ready: "False", message: "its root key is another", providers: [] }],
  clusterUnknown: "no answer in 5 s",
};

test("long names and messages => no line is longer than the terminal, and nothing is cut off", () => {
  const text = shown(sick);
  for (const line of text.split("\n")) expect(line.length, line).toBeLessThanOrEqual(80);
  const flat = text.replaceAll(/\s+/g, "");
  for (const part of [
    `provider${LONG}doesnotserve:noplugin`,
    `node${LONG}isnotready:itsrootkeyisanother`,
    "nothingisknownfromtheAPIserver:noanswerin5s",
    "NodesDiffer",
  ])
    expect(flat).toContain(part);
});

test("in a pipe each row is one line, and no name steers the terminal", () => {
  const text = shown(sick, { width: Number.POSITIVE_INFINITY });
  expect(text).toContain(`${LONG}/${LONG}`);
  expect(text).toContain("\\u001b[2J");
  expect(text).not.toContain("\x1b");
});

test.each<[string, KeyReport["storedData"], string]>([
  ["standalone", undefined, "-"],
  ["no leader", { unknown: "no operator leads" }, "unknown"],
  [
    "a round that runs",
    {
      reason: "Reencrypting",
      message: "",
      needsSomebody: false,
      progress: { done: 10, total: 40, secondsLeft: 200 },
    },
    "Reencrypting 10/40, 3 min left",
  ],
  ["nobody encrypts", { reason: "NothingStored", message: "", needsSomebody: false }, "NothingStored"],
])("stored data, %s => %s", (_, storedData, text) => {
  expect(dataText(storedData === undefined ? {} : { storedData }, NOW)).toBe(text);
});

test("a key of a spec that does not rotate => its next rotation is never", () => {
  const { nextRotation: _, ...rest } = key;
  const keys = [{ ...rest, keySpec: "ECC_NIST_P256" } as const];
  expect(screen({ ...report, keys }, [], { wide: false, width: 200, now: NOW })).toMatch(
    /^claviger-system\/secrets .* never$/m,
  );
});
