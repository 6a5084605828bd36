import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";

const SRC = import.meta.dirname;
const PROGRAM = join(SRC, "..", "bin", "claviger.js");
const sources = readdirSync(SRC, { recursive: true, encoding: "utf8" })
  .filter((name) => name.endsWith(".ts") && !name.endsWith(".test.ts"))
  .map((name) => ({ name, text: readFileSync(join(SRC, name), "utf8") }))
  .concat({ name: "bin/claviger.js", text: readFileSync(PROGRAM, "utf8") });

/** Returns every access to the environment, with the variable's name if the source has it. */
const readsOf = (text: string): string[] =>
  [
    ...text.matchAll(/\benv\b(?:iron\w*)?\.(\w+)|\bprocess\.env\b(?!\.)|\bprocess\[|\bimport\.meta\.env\b/g),
  ].map(([whole, name]) => name ?? whole);

test("the walker sees a variable that is read by its name, taken apart or looked up", () => {
  const text =
    'process.env.A ?? process.env["B"]; const { C } = process.env; const { env } = process; env.D; process["env"]';
  expect(readsOf(text)).toEqual(["A", "process.env", "process.env", "D", "process["]);
});

test("the program reads these variables of the environment and no others: none weakens a proof", () => {
  const reads = sources.flatMap(({ name, text }) => readsOf(text).map((read) => `${name}: ${read}`));
  expect(reads.sort()).toEqual([
    "cli/command.ts: CLAVIGER_CONFIG",
    // Where an AWS SDK would send a token too, and whom it would trust there.
    "cli/credentials/credentials.ts: AWS_CA_BUNDLE",
    "cli/credentials/credentials.ts: AWS_ENDPOINT_URL_STS",
    "cli/site/target.ts: KUBECONFIG",
    "cli/terminal/colour.ts: FORCE_COLOR",
    "cli/terminal/colour.ts: NO_COLOR",
    "cli/terminal/colour.ts: TERM",
    // The environment of a credential plugin in the kubeconfig, as kubectl passes it.
    "kube/kubeconfig/credential-plugin.ts: process.env",
    // Kills the program at a write: a crash at that moment, which must harm nothing at any time.
    "write-points.ts: CLAVIGER_KILL_AT",
  ]);
});

test("no source but tests names a variable of the tests", () => {
  expect(sources.filter(({ text }) => text.includes("CLAVIGER_TEST_")).map(({ name }) => name)).toEqual([]);
});
