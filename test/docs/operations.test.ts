import { globSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { checks } from "../../src/cli/doctor/diagnose.ts";
import { anchor, operationsPages, prose, read } from "./markdown.ts";

const pages = operationsPages();
/** All pages about operations: a reason may stand in any of them. */
const page = pages.map(read).join("\n");
const messagesPage = read("docs/operations/messages.md");
const sources = globSync("src/**/*.ts", { cwd: `${import.meta.dirname}/../..` })
  .filter((path) => !/\.test\.ts$|^src\/testing\//.test(path))
  .map((path) => ({ path, text: joined(read(path)) }));

/** Joins texts that are written in several pieces. */
function joined(text: string): string {
  return text.replaceAll(/["`]\s*\+\s*["`]/g, "");
}

/** Quoted words that look like reasons but are kinds, types, states or statuses. */
const notReasons = new Set(
  [
    [
      "MasterKey",
      "KeyVersion",
      "KeyAlias",
      "KeyGrant",
      "KeyPolicy",
      "KeyServer",
      "KeyServers",
      "Retirement",
      "Event",
      "Namespace",
    ],
    ["List"],
    ["Ready", "Distributed", "True", "False", "Unknown", "Normal", "Warning"],
    ["Pending", "Current", "Retired", "Enabled", "Conflict", "ApiServer", "NoStatus", "Destroy"],
    ["Distributing", "Complete", "Automatic", "OnDemand", "Restored"],
    ["Claviger", "StorageVersionMigration", "SubjectAccessReview", "Deny", "Ignore"],
    ["Active", "CreateGrant", "Equals", "Subset"],
  ].flat(),
);

describe("docs/operations", () => {
  it("has every page and every section in its index, docs/operations.md", () => {
    const contents = read("docs/operations.md");
    const sections = pages.flatMap((path) => [
      path.replace("docs/", ""),
      ...[...prose(read(path)).matchAll(/^##+ (.+)$/gm)].map(
        ([, title = ""]) => `${path.replace("docs/", "")}#${anchor(title)}`,
      ),
    ]);
    expect(sections.length).toBeGreaterThan(30);
    expect(sections.filter((section) => !contents.includes(`](${section})`))).toEqual([]);
  });

  it("has no message twice", () => {
    const messages = [...messagesPage.matchAll(/^\| (`.*?`) \|/gm)].map(([, message = ""]) => message);
    expect(messages.filter((message, index) => messages.indexOf(message) !== index)).toEqual([]);
  });

  it("has every reason of a condition or an event that the operator gives", () => {
    const files = sources.filter(({ path }) => /^src\/(operator|store)\/(?!audit\/)/.test(path));
    const reasons = new Set(
      files.flatMap(({ text }) =>
        [...text.matchAll(/"([A-Z][a-z][A-Za-z]*)"/g)].map(([, word = ""]) => word),
      ),
    );
    expect(reasons).toContain("NodeNotHeardOf");
    const missing = [...reasons].filter(
      (reason) => !notReasons.has(reason) && !page.includes(`\`${reason}\``),
    );
    expect(missing).toEqual([]);
  });

  it("leaves the events of the operator in the audit log to docs/audit.md, which has each", () => {
    const { text = "" } = sources.find(({ path }) => path === "src/operator/audit/status-records.ts") ?? {};
    const names = [...text.matchAll(/"([A-Z][a-z]+[A-Z][A-Za-z]*)"/g)].map(([, name = ""]) => name);
    const states = ["PendingDeletion", "PendingImport"];
    expect(names).toContain("RotateKey");
    const audit = read("docs/audit.md");
    expect(names.filter((name) => !states.includes(name) && !audit.includes(`\`${name}\``))).toEqual([]);
  });

  it("has every message of an error that an operator of claviger can meet", () => {
    const messages = sources.flatMap(({ path, text }) =>
      errorMessages(text).map((message) => ({ path, message })),
    );
    expect(messages.length).toBeGreaterThan(30);
    const missing = messages.filter(({ message }) => !page.includes(longest(message)));
    expect(missing).toEqual([]);
  });

  it("quotes messages as the code has them", () => {
    const code = sources.map(({ text }) => text).join("\n");
    const quoted = [...messagesPage.matchAll(/^\| (`.*?`) \|/gm)].flatMap(([, cell = ""]) =>
      [...cell.matchAll(/`([^`]+)`/g)].map(([, span = ""]) => span),
    );
    expect(quoted.length).toBeGreaterThan(40);
    const pieces = quoted.flatMap((message) => message.split("…").map((piece) => piece.trim()));
    const unknown = pieces.filter((piece) => piece.length > 3 && !code.includes(piece));
    expect(unknown).toEqual([]);
  });

  it("has every check of the doctor, and names no other", () => {
    const section = read("docs/operations/doctor.md");
    const cells = [...section.matchAll(/^\| (`.*?`) \|/gm)].map(([, cell = ""]) => cell);
    const named = cells.flatMap((cell) => [...cell.matchAll(/`(\w+)`/g)].map(([, name]) => name));
    expect(named.sort()).toEqual(checks.map(({ name }) => name).sort());
  });
});

/** Codes of messages for people. Defects, and bounds of calls that only programs make, are left out. */
const FOR_OPERATORS =
  "ConfigInvalid|Etcd|InUse|KeyDisabled|KeyPendingDeletion|KeyringCorrupt|KeyringUnavailable|NotFound|NotReady|SealMismatch|SealUnavailable";

function errorMessages(text: string): string[] {
  const thrown = new RegExp(
    `new ClavigerError\\(\\s*"(?:${FOR_OPERATORS})",\\s*["\`](.*?)["\`],?\\s*[){]`,
    "gs",
  );
  const patterns = [
    thrown,
    /unsafe\(\s*path,\s*["`](.*?)["`]\s*\)/gs,
    /FileLock\.acquire\(.*?,\s*`(.*?)`/gs,
    /\b(?:advice|text):?\s*=?\s*["`]([^\n]*?)["`][,;\n]/g,
  ];
  return patterns.flatMap((pattern) => [...text.matchAll(pattern)].map(([, message = ""]) => message));
}

/** Returns the longest constant piece of a message. */
function longest(message: string): string {
  const pieces = message.split(/\$\{(?:[^{}]|\{[^{}]*\})*(?:\}|$)/).map((piece) => piece.trim());
  return pieces.toSorted((a, b) => b.length - a.length)[0] ?? "";
}
