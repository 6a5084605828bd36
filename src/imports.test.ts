import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { describe, expect, test } from "vitest";

const SRC = import.meta.dirname;

interface Room {
  /** The rooms that it imports. Each arrow must be used: remove an arrow that nobody needs any more. */
  readonly rooms: readonly string[];
  /** The files outside of rooms that it may import; all of them if left out. */
  readonly files?: readonly string[];
  readonly packages: readonly string[];
}

/** The rooms and the directions of their imports (docs/architecture.md). Enter a new room here. */
const rooms: Readonly<Record<string, Room>> = {
  crypto: { rooms: [], files: ["errors.ts"], packages: [] },
  files: { rooms: [], files: ["errors.ts", "printable.ts"], packages: [] },
  config: { rooms: ["files"], packages: ["yaml"] },
  go: { rooms: ["config"], packages: ["yaml"] },
  metrics: { rooms: [], packages: [] },
  seal: { rooms: ["config", "crypto", "files"], files: ["errors.ts"], packages: [] },
  keyring: {
    rooms: ["crypto", "files", "seal"],
    files: ["api-server-times.ts", "errors.ts", "json.ts", "log.ts", "names.ts", "write-points.ts"],
    packages: [],
  },
  keys: {
    rooms: ["crypto", "keyring", "seal"],
    files: ["errors.ts", "names.ts", "times.ts"],
    packages: [],
  },
  audit: {
    rooms: ["files", "keyring"],
    files: [
      "errors.ts",
      "json.ts",
      "log.ts",
      "printable.ts",
      "repeated-log.ts",
      "times.ts",
      "write-points.ts",
    ],
    packages: [],
  },
  access: { rooms: ["crypto", "keyring"], files: ["errors.ts", "printable.ts"], packages: [] },
  resources: { rooms: ["crypto", "keyring", "seal"], packages: [] },
  kube: {
    rooms: ["files", "resources"],
    packages: ["@kubernetes/client-node", "@kubernetes/client-node/dist/config_types.js", "js-yaml"],
  },
  storage: {
    rooms: ["config", "files", "go", "kube", "resources"],
    packages: ["@grpc/grpc-js", "@grpc/proto-loader", "yaml"],
  },
  store: {
    rooms: ["config", "files", "go", "keyring", "kube", "resources", "storage"],
    packages: ["yaml"],
  },
  plugin: {
    rooms: ["audit", "config", "crypto", "files", "keyring", "keys", "metrics", "seal"],
    packages: ["@grpc/grpc-js", "prom-client"],
  },
  operator: {
    rooms: [
      "access",
      "audit",
      "config",
      "crypto",
      "files",
      "keyring",
      "keys",
      "kube",
      "metrics",
      "resources",
      "seal",
      "storage",
      "store",
    ],
    packages: ["croner", "prom-client"],
  },
  aws: {
    rooms: [
      "access",
      "audit",
      "config",
      "crypto",
      "files",
      "keyring",
      "keys",
      "kube",
      "metrics",
      "resources",
      "seal",
      "store",
    ],
    packages: ["prom-client"],
  },
  console: { rooms: ["config", "files", "kube", "resources", "store"], packages: [] },
  install: {
    rooms: ["config", "crypto", "files", "kube", "resources", "seal", "storage"],
    files: ["errors.ts", "json.ts", "printable.ts"],
    packages: ["yaml"],
  },
  cli: {
    rooms: [
      "access",
      "audit",
      "aws",
      "config",
      "console",
      "crypto",
      "files",
      "install",
      "go",
      "keyring",
      "keys",
      "kube",
      "operator",
      "plugin",
      "resources",
      "seal",
      "storage",
      "store",
    ],
    packages: ["yaml"],
  },
};

/** A folder with more files than this contains two ideas. Tests are not counted. */
const MOST_FILES = 20;

/** A longer file holds more than one idea. Tests are not counted. */
const MOST_LINES = 300;

/** Returns the imports of a file: static and lazy, of values and of types. */
function specifiers(text: string): string[] {
  const statement = /^\s*(?:import|export)\b[^;'"]*?\bfrom\s*["']([^"']+)["']/gm;
  const effect = /^\s*import\s*["']([^"']+)["']/gm;
  const lazy = /\bimport\(\s*["']([^"']+)["']\s*\)/g;
  return [statement, effect, lazy].flatMap((pattern) =>
    [...text.matchAll(pattern)].flatMap(([, specifier]) => specifier ?? []),
  );
}

/** Returns the imports of a file that are loaded with it: neither lazy imports nor those of types. */
function eagerSpecifiers(text: string): string[] {
  const eager = text.replaceAll(/^\s*(?:import|export) type\b[^;]*;/gm, "").replaceAll(/\bimport\(/g, "");
  return specifiers(eager);
}

/** Returns the imports of a file: paths under src, or packages. node: is left out. */
function importsOf(file: string, read = specifiers): string[] {
  return read(readFileSync(join(SRC, file), "utf8"))
    .filter((specifier) => !specifier.startsWith("node:"))
    .map((specifier) =>
      specifier.startsWith(".") ? relative(SRC, join(SRC, dirname(file), specifier)) : specifier,
    );
}

const isFile = (name: string): boolean => name.endsWith(".ts") && existsSync(join(SRC, name));
/** Code for tests, such as the cluster model. No build contains it. */
const TESTING = "testing/";
const sources = readdirSync(SRC, { recursive: true, encoding: "utf8" }).filter(
  (name) => name.endsWith(".ts") && !name.endsWith(".test.ts") && !name.startsWith(TESTING),
);
const roomOf = (file: string): string => (file.includes("/") ? (file.split("/")[0] ?? "") : "");

/** Returns everything that a file imports, directly or indirectly. */
function reach(start: string, read = specifiers): ReadonlySet<string> {
  const seen = new Set<string>();
  const waiting = [start];
  for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
    if (seen.has(next)) continue;
    seen.add(next);
    if (isFile(next)) waiting.push(...importsOf(next, read));
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
    expect(eagerSpecifiers(text).sort()).toEqual([..."abdef"].map((name) => `./${name}.ts`).concat("h"));
  });
  test("follows every relative import to a file that exists", () => {
    const missing = sources.flatMap((file) =>
      importsOf(file).filter((target) => target.endsWith(".ts") && !isFile(target)),
    );
    expect(missing).toEqual([]);
  });
  test("reaches what it should: the operator leads to the Kubernetes client", () => {
    expect(reach("cli/operator.ts")).toContain("@kubernetes/client-node");
    expect(reach("cli/plugin.ts")).toContain("keyring/live/live-keyring.ts");
  });
});

describe.each(["cli/plugin.ts", "plugin/plugin.ts"])("%s, the API server's lifeline", (entry) => {
  test("reaches neither the operator, a custom resource nor the Kubernetes client, lazily either", () => {
    const forbidden = [...reach(entry)].filter((name) =>
      /^(kube|operator|resources|storage|store)\/|^@kubernetes\//.test(name),
    );
    expect(forbidden).toEqual([]);
  });
});

describe.each(importsOf("cli/program.ts").filter((file) => /^cli\/[^/]+$/.test(file)))(
  "%s, whose description help and completions load",
  (entry) => {
    test("loads what is heavy when it runs: gRPC, the Kubernetes client, the loops of the operator", () => {
      const heavy = [...reach(entry, eagerSpecifiers)].filter((name) =>
        /^(@grpc\/|@kubernetes\/client-node$|operator\/operator\.ts|plugin\/plugin\.ts)/.test(name),
      );
      expect(heavy).toEqual([]);
    });
  },
);

describe("rooms", () => {
  test("nothing but tests imports what is there for tests", () => {
    const wrong = sources.filter((file) => importsOf(file).some((target) => target.startsWith(TESTING)));
    expect(wrong).toEqual([]);
  });

  test("every folder of src is a room that is known here", () => {
    const folders = new Set(sources.map(roomOf).filter((room) => room !== ""));
    expect([...folders].filter((room) => !Object.hasOwn(rooms, room))).toEqual([]);
  });

  test("files beside the rooms import no room", () => {
    const wrong = sources
      .filter((file) => roomOf(file) === "")
      .flatMap((file) =>
        importsOf(file)
          .filter((target) => roomOf(target) !== "")
          .map((target) => `${file} imports ${target}`),
      );
    expect(wrong).toEqual([]);
  });

  test("no file leads back to itself, by types either", () => {
    const leadsTo = new Map(sources.map((file) => [file, importsOf(file).filter(isFile)]));
    expect(circlesIn(leadsTo)).toEqual([]);
  });

  test("the search for circles finds one", () => {
    const leadsTo = new Map([
      ["a", ["b"]],
      ["b", ["c", "d"]],
      ["c", ["a"]],
      ["d", []],
    ]);
    expect(circlesIn(leadsTo)).toEqual([["a", "b", "c"]]);
  });

  test("no room leads back to itself", () => {
    const leadsTo = new Map(Object.entries(rooms).map(([name, room]) => [name, room.rooms]));
    expect(circlesIn(leadsTo)).toEqual([]);
  });

  test("every arrow between rooms is used", () => {
    const used = new Set(
      sources.flatMap((file) => importsOf(file).map((target) => `${roomOf(file)} -> ${roomOf(target)}`)),
    );
    const arrows = Object.entries(rooms).flatMap(([name, room]) =>
      room.rooms.map((to) => `${name} -> ${to}`),
    );
    expect(arrows.filter((arrow) => !used.has(arrow))).toEqual([]);
  });

  test("no folder has more files than a reader keeps in mind", () => {
    const folders = Map.groupBy(sources, (file) => dirname(file));
    const crowded = [...folders].filter(([, files]) => files.length > MOST_FILES);
    expect(crowded.map(([folder, files]) => `${folder}: ${files.length}`)).toEqual([]);
  });

  test("no file is longer than a reader can follow", () => {
    const long = sources.filter((file) => linesOf(file) > MOST_LINES);
    expect(long).toEqual([]);
  });

  test("SQL is written in keyring/ alone", () => {
    const sql =
      /\b(?:INSERT INTO|DELETE FROM|PRAGMA|VACUUM|CREATE TABLE)\b|\bSELECT\b.*\bFROM\b|\bUPDATE\b.*\bSET\b|node:sqlite/;
    const holders = sources.filter((file) => sql.test(readFileSync(join(SRC, file), "utf8")));
    expect(holders.length).toBeGreaterThan(0);
    expect(holders.filter((file) => roomOf(file) !== "keyring")).toEqual([]);
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

const linesOf = (file: string): number => readFileSync(join(SRC, file), "utf8").split("\n").length - 1;

function mayImport(name: string, target: string): boolean {
  const room = rooms[name];
  if (room === undefined) return false;
  if (!target.endsWith(".ts")) return room.packages.includes(target);
  const other = roomOf(target);
  if (other === "") return room.files?.includes(target) ?? true;
  return other === name || room.rooms.includes(other);
}

/** Returns the sets of files or rooms that all lead to one another (Tarjan 1972), in order. */
function circlesIn(leadsTo: ReadonlyMap<string, readonly string[]>): string[][] {
  const found: string[][] = [];
  const order = new Map<string, number>();
  const lowest = new Map<string, number>();
  const path: string[] = [];
  const visit = (name: string): number => {
    const own = order.size;
    order.set(name, own);
    lowest.set(name, own);
    path.push(name);
    for (const next of leadsTo.get(name) ?? []) {
      const seen = path.includes(next) ? (lowest.get(next) ?? own) : own;
      const low = order.has(next) ? seen : visit(next);
      lowest.set(name, Math.min(lowest.get(name) ?? own, low));
    }
    if (lowest.get(name) === own) {
      const circle = path.splice(path.indexOf(name));
      if (circle.length > 1) found.push(circle.sort());
    }
    return lowest.get(name) ?? own;
  };
  for (const name of leadsTo.keys()) if (!order.has(name)) visit(name);
  return found;
}
