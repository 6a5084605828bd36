import { globSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { resources } from "./definitions.ts";
import type { AnyResource } from "./resources.ts";
import { validate } from "./validate.ts";

const ROOT = join(import.meta.dirname, "..", "..");

describe.each(globSync("test/upgrade/fixtures/*/backup.jsonl", { cwd: ROOT }))(
  "the custom resources in %s",
  (path) => {
    const lines = readFileSync(join(ROOT, path), "utf8").trim().split("\n");
    const objects = lines.flatMap((line) => {
      const { object }: { readonly object?: { readonly json: string } } = JSON.parse(line);
      return object === undefined ? [] : [JSON.parse(object.json) as AnyResource];
    });

    it("are of every kind that there was", () => {
      const later = ["KeyGrant"];
      const before = Object.keys(resources).filter((kind) => !later.includes(kind));
      expect(new Set(objects.map(({ kind }) => kind))).toEqual(new Set(before));
    });

    it("are valid in this release: their spec, their status, and the rules about changes", () => {
      const problems = objects.flatMap((object) => {
        const { spec, status } = resources[object.kind];
        return Object.entries({ spec, status }).flatMap(([part, schema]) => {
          const value: unknown = Reflect.get(object, part);
          if (schema === undefined || value === undefined) return [];
          const name = `${object.kind} ${object.metadata.name} ${part}`;
          return validate(schema.json, value, value, name).problems;
        });
      });
      expect(problems).toEqual([]);
    });
  },
);
