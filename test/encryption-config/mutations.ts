import type { Input } from "./inputs.ts";

/** Pieces that somebody's editor, template or hand may insert anywhere. */
const BITS = [
  ...[
    " ",
    "  ",
    "\t",
    "\n",
    "\r\n",
    "\r",
    ":",
    ": ",
    "- ",
    "-",
    "? ",
    "?",
    "{",
    "}",
    "[",
    "]",
    ",",
    "#",
    " #x",
  ],
  ...[
    "'",
    '"',
    "|",
    ">",
    "&a ",
    "*a",
    "!!str ",
    "!!int ",
    "! ",
    "%",
    "@",
    "`",
    "~",
    "\\",
    "é",
    "\u0085",
    "\uFEFF",
  ],
  ...["<<: ", "---\n", "...\n", "--- ", "name", "secrets.", "*.*", "a: b", "yes", "0x1", "1_0", ".5"],
];
const VALUES = [
  ...[
    "y",
    "on",
    "No",
    "~",
    "''",
    "1",
    "1.0",
    "1e3",
    "0x1F",
    "0o17",
    "017",
    "08",
    "1_000",
    "12:30",
    "2026-03-09",
  ],
  ...[
    "!!str 1",
    "!!int 1",
    "!!int 1.5",
    "!!bool yes",
    "!!binary c2VjcmV0cw==",
    "!x y",
    '"a\\x41\\\n  b"',
    "a#b",
  ],
  ...[
    "|-\n          x",
    "a b",
    "a: b",
    "a #b",
    "-x",
    "?x",
    ":x",
    "[a]",
    "{}",
    "18446744073709551616",
    "<<",
    "*a",
  ],
  ...[
    "secrets.",
    "*.",
    "SECRETS",
    "3s",
    "1.5s",
    "9223372037s",
    "-1s",
    ".5s",
    "1.s",
    "1µs",
    "+3s",
    "v1",
    "v2",
  ],
  ...["unix:x", "unix://a:b/x", "unix://u@h/x", "UNIX:/x", "unix:///a%20b", "unix:///a%2", "unix:///a?b#c"],
];

/** Returns changed copies of inputs, the same ones for a seed. */
export function mutations(inputs: readonly Input[], seed: number, count: number): Input[] {
  const random = generator(seed);
  const pick = <T>(list: readonly T[]): T => {
    const one = list[Math.floor(random() * list.length)];
    if (one === undefined) throw new Error("there is nothing to choose from");
    return one;
  };
  return Array.from({ length: count }, (_, index) => {
    let text = pick(inputs).bytes.toString("utf8");
    for (let changes = 1 + Math.floor(random() * 2); changes > 0; changes -= 1)
      text = pick(CHANGES)(text, random, pick);
    return { name: `mutation ${index}`, bytes: Buffer.from(text) };
  });
}

type Pick = <T>(list: readonly T[]) => T;
type Change = (text: string, random: () => number, pick: Pick) => string;

const inLines =
  (change: (lines: string[], place: number, pick: Pick) => void): Change =>
  (text, random, pick) => {
    const lines = text.split("\n");
    change(lines, Math.floor(random() * lines.length), pick);
    return lines.join("\n");
  };

const value: Change = (text, _, pick) => {
  const places = [...text.matchAll(/(: )([^\n{}[\],]+)/g)];
  if (places.length === 0) return text;
  const { index, 0: found } = pick(places);
  return `${text.slice(0, index)}: ${pick(VALUES)}${text.slice(index + found.length)}`;
};

const CHANGES: readonly Change[] = [
  (text, random, pick) => {
    const place = Math.floor(random() * text.length);
    return text.slice(0, place) + pick(BITS) + text.slice(place);
  },
  (text, random) => {
    const place = Math.floor(random() * text.length);
    return text.slice(0, place) + text.slice(place + 1 + Math.floor(random() * 3));
  },
  inLines((lines, place, pick) => lines.splice(place, 0, pick(lines))),
  inLines((lines, place) => lines.splice(place, 1)),
  inLines((lines, place, pick) => {
    lines[place] = pick([" ", "  ", "\t", ""]) + (lines[place] ?? "").slice(pick([0, 1]));
  }),
  value,
  value,
];

/** mulberry32: small, and the same everywhere. */
function generator(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
