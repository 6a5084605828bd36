import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { describe, expect, test } from "vitest";

const SRC = import.meta.dirname;

interface Room {
  /** Rooms that it may import, besides itself. */
  readonly rooms: readonly string[];
  /** Files beside the rooms that it may import; all of them where left out. */
  readonly files?: readonly string[];
  readonly packages: readonly string[];
}

/** The rooms and which way imports point (docs/architecture.md). A new room is entered here. */
const rooms: Readonly<Record<string, Room>> = {
  crypto: { rooms: [], files: ["errors.ts"], packages: [] },
  seal: { rooms: ["crypto"], files: ["errors.ts", "file-appearance.ts", "private-path.ts"], packages: [] },
  keyring: {
    rooms: ["crypto", "seal"],
    files: ["errors.ts", "json.ts", "log.ts", "private-path.ts", "regular-file.ts", "write-points.ts"],
    packages: [],
  },
  kube: {
    rooms: ["crypto", "keyring"],
    files: [
      "errors.ts",
      "json.ts",
      "log.ts",
      "own-file.ts",
      "printable.ts",
      "regular-file.ts",
      "times.ts",
      "told-once.ts",
    ],
    packages: ["@kubernetes/client-node"],
  },
  plugin: { rooms: ["crypto", "seal", "keyring"], packages: ["@grpc/grpc-js", "prom-client"] },
  storage: {
    rooms: ["crypto", "keyring", "kube"],
    packages: ["@grpc/grpc-js", "@grpc/proto-loader", "yaml"],
  },
  operator: {
    rooms: ["crypto", "seal", "keyring", "kube", "storage"],
    packages: ["croner", "prom-client", "yaml"],
  },
  cli: {
    rooms: ["crypto", "seal", "keyring", "kube", "storage", "plugin", "operator"],
    packages: ["yaml"],
  },
};

/** What a file says it imports: statically, lazily, as values or as types. */
function specifiers(text: string): string[] {
  const statement = /^\s*(?:import|export)\b[^;'"]*?\bfrom\s*["']([^"']+)["']/gm;
  const effect = /^\s*import\s*["']([^"']+)["']/gm;
  const lazy = /\bimport\(\s*["']([^"']+)["']\s*\)/g;
  return [statement, effect, lazy].flatMap((pattern) =>
    [...text.matchAll(pattern)].flatMap(([, specifier]) => specifier ?? []),
  );
}

/** Imports of a file: paths under src, or packages. node: is left out. */
function importsOf(file: string): string[] {
  return specifiers(readFileSync(join(SRC, file), "utf8"))
    .filter((specifier) => !specifier.startsWith("node:"))
    .map((specifier) =>
      specifier.startsWith(".") ? relative(SRC, join(SRC, dirname(file), specifier)) : specifier,
    );
}

const isFile = (name: string): boolean => name.endsWith(".ts") && existsSync(join(SRC, name));
/** The model of a cluster belongs to the tests: no build has it. */
const MODEL = "operator/cluster-model/";
const sources = readdirSync(SRC, { recursive: true, encoding: "utf8" }).filter(
  (name) => name.endsWith(".ts") && !name.endsWith(".test.ts") && !name.startsWith(MODEL),
);
const roomOf = (file: string): string => (file.includes("/") ? (file.split("/")[0] ?? "") : "");

/** Everything that a file leads to. */
function reach(start: string): ReadonlySet<string> {
  const seen = new Set<string>();
  const waiting = [start];
  for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
    if (seen.has(next)) continue;
    seen.add(next);
    if (isFile(next)) waiting.push(...importsOf(next));
  }
  return seen;
}

describe("the walker", () => {
  test("sees every way to import", () => {
    const text = [
      'import { a } from "./a.ts";',
      "import {",
      "  b,",
      "  type B,",
      '} from "./b.ts";',
      'import type { C } from "./c.ts";',
      'import "./d.ts";',
      'export { e } from "./e.ts";',
      'export * from "./f.ts";',
      'const g = await import("./g.ts");',
      'import h from "h"; // and a word from "nowhere"',
    ].join("\n");
    expect(specifiers(text).sort()).toEqual([..."abcdefg"].map((name) => `./${name}.ts`).concat("h"));
  });
  test("follows every relative import to a file that exists", () => {
    const missing = sources.flatMap((file) =>
      importsOf(file).filter((target) => target.endsWith(".ts") && !isFile(target)),
    );
    expect(missing).toEqual([]);
  });
  test("reaches what it should: the operator leads to the Kubernetes client", () => {
    expect(reach("cli/operator.ts")).toContain("@kubernetes/client-node");
    expect(reach("cli/plugin.ts")).toContain("keyring/live-keyring.ts");
  });
});

describe.each(["cli/plugin.ts", "plugin/plugin.ts"])("%s, the API server's lifeline", (entry) => {
  test("reaches neither the operator nor the Kubernetes client, lazily either", () => {
    const forbidden = [...reach(entry)].filter((name) =>
      /^(kube|operator|storage)\/|^@kubernetes\//.test(name),
    );
    expect(forbidden).toEqual([]);
  });
});

describe("rooms", () => {
  test("nothing but tests imports the model of a cluster", () => {
    const wrong = sources.filter((file) => importsOf(file).some((target) => target.startsWith(MODEL)));
    expect(wrong).toEqual([]);
  });

  test("every folder of src is a room that is known here", () => {
    const folders = new Set(sources.map(roomOf).filter((room) => room !== ""));
    expect([...folders].filter((room) => !Object.hasOwn(rooms, room))).toEqual([]);
  });

  test("files beside the rooms import the keyring's types at most", () => {
    const wrong = sources
      .filter((file) => roomOf(file) === "")
      .flatMap((file) =>
        importsOf(file)
          .filter((target) => !["", "keyring"].includes(roomOf(target)))
          .map((target) => `${file} imports ${target}`),
      );
    expect(wrong).toEqual([]);
  });

  test.each(Object.keys(rooms))("%s imports what it may", (name) => {
    const wrong = sources
      .filter((file) => roomOf(file) === name)
      .flatMap((file) =>
        importsOf(file)
          .filter((target) => !mayImport(name, target))
          .map((target) => `${file} imports ${target}`),
      );
    expect(wrong).toEqual([]);
  });
});

function mayImport(name: string, target: string): boolean {
  const room = rooms[name];
  if (room === undefined) return false;
  if (!target.endsWith(".ts")) return room.packages.includes(target);
  const other = roomOf(target);
  if (other === "") return room.files?.includes(target) ?? true;
  return other === name || room.rooms.includes(other);
}
