import { resolve } from "node:path";
import { describe, expect, test } from "vitest";
import { commentsOf } from "./comments.ts";
import { languageOf, perThousand, readLanguage, roomOf, roomsOf, table, total } from "./language.ts";

/** The limits of every room, in a thousand words of comments. */
const LIMIT = { where: 1, openings: 5 };

/** Rooms with new comments that nobody has read with this in mind yet. */
const UNREAD: ReadonlySet<string> = new Set<string>([]);

/** A room of few words may have one fault. */
const SMALL = 1;

const rooms = roomsOf(readLanguage(resolve(import.meta.dirname, "..")));

describe("the comments of this project", () => {
  test.each(rooms.filter(({ name }) => !UNREAD.has(name)))("$name is within the limits", (room) => {
    const above = (["where", "openings"] as const).filter(
      (habit) =>
        room.language[habit] > SMALL && perThousand(room.language[habit], room.language) > LIMIT[habit],
    );
    expect(above.map((habit) => `${habit}: ${room.language[habit]} times, most in ${room.worst}`)).toEqual(
      [],
    );
  });

  test("all together have less than one “where” and ten such openings in a thousand words", () => {
    const all = total(rooms);
    expect(perThousand(all.where, all)).toBeLessThan(1);
    expect(perThousand(all.openings, all)).toBeLessThan(10);
  });
});

describe("a planted fault is counted", () => {
  test.each([
    ["/** Refuses where the key is gone. */", { where: 1 }],
    ["/**\n * The key. What an API server\n * asked for.\n */", { openings: 1, what: 1 }],
    ["// Whether it is current.", { openings: 1 }],
    ["/**\n * - What a version needs.\n */", { openings: 1, what: 1 }],
    ["const a = 1; // The one that won: what it says", { one: 1, what: 1 }],
  ])("%s", (source, expected) => {
    const { words, ...counts } = languageOf(source);
    expect(counts).toEqual({ where: 0, openings: 0, what: 0, one: 0, ...expected });
    expect(words).toBeGreaterThan(0);
  });
});

test("only comments are read: no text, template or pattern that looks like one", () => {
  const source = [
    'const url = "https://where"; // first',
    ["const template = `// where ${", "half} /* where */`;"].join(""),
    "const pattern = /[/]\\/* where/; /* second */",
    "const half = 4 / 2; // third",
    "// goes on",
    "const quote = '\\'// where';",
  ].join("\n");
  expect(commentsOf(source)).toEqual(["first", "second", "third goes on"]);
});

test("a room is a folder, at most two levels deep", () => {
  expect(["src/log.ts", "src/cli/doctor/diagnose.ts", "bench/main.ts"].map(roomOf)).toEqual([
    "src",
    "src/cli",
    "bench",
  ]);
});

test("the table starts with the worst room and names its worst file", () => {
  const files = new Map([
    ["bench/good.ts", languageOf("// Measures.")],
    ["src/cli/good.ts", languageOf("// Prints.")],
    ["src/cli/bad.ts", languageOf("// What it prints where it can.")],
  ]);
  const [, , worst, , all] = table(roomsOf(files)).split("\n");
  expect(worst).toBe("| src/cli | 7 | 142.9 | 142.9 | 142.9 | 0.0 | src/cli/bad.ts |");
  expect(all).toMatch(/^\| all \| 8 \|/);
});
