import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { CONFIG_FIELDS, withoutField } from "./config-fields.ts";
import { REFERENCE, reference } from "./generate-reference.ts";

const ROOT = join(import.meta.dirname, "..");

test("docs/reference.md is what `npm run generate` writes", () => {
  expect(readFileSync(REFERENCE, "utf8")).toBe(reference());
});

test("what a node's configuration must have, and its defaults, are asked of the code that reads it", () => {
  const answers = Object.fromEntries(CONFIG_FIELDS.map((field) => [field.name, withoutField(field)]));
  expect(answers).toMatchObject({
    stateDir: "needed",
    "seal.file.path": "needed",
    "providers[].name": "needed",
    socketGroup: "none",
    "etcd.prefix": "`/registry`",
    "limits.rotationsPerKeyPerHour": "`10`",
    "aws.region": "`us-local-1`",
  });
});

test("every field that the configuration's code reads is described, and no other", () => {
  const source = ["config.ts", "audit-config.ts", "aws-config.ts", "listen.ts"]
    .map((file) => readFileSync(join(ROOT, "src", "config", file), "utf8"))
    .join("\n");
  const read = [
    ...source.matchAll(
      /\.(?:text|optionalText|expectText|optionalInteger|optionalBoolean|optionalObjectName|sections|texts)\(\s*"(\w+)"/g,
    ),
  ].map(([, field = ""]) => field);
  const described = CONFIG_FIELDS.map(({ name }) => name.split(".").at(-1)?.replace("[]", ""));
  const limits = described.filter((name) => name?.includes("Per"));
  expect([...new Set(described)].sort()).toEqual([...new Set([...read, ...limits])].sort());
});
