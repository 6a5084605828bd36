import { globSync, readFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { commentsOf } from "./comments.ts";

/** The counts of a file or of a room: words of comments, and habits that make comments hard to read. */
export interface Language {
  readonly words: number;
  /** The word for a place, nearly always written for "if". */
  readonly where: number;
  /** Sentences that begin with What or Whether. */
  readonly openings: number;
  readonly what: number;
  /** "one" and "ones", which mostly stand in place of a noun. */
  readonly one: number;
}

const NONE: Language = { words: 0, where: 0, openings: 0, what: 0, one: 0 };

const count = (text: string, pattern: RegExp): number => text.match(pattern)?.length ?? 0;

/** Counts the words and the habits of the comments of a source. */
export function languageOf(source: string): Language {
  const comments = commentsOf(source);
  const text = comments.join("\n");
  return {
    words: count(text, /[A-Za-z']+/g),
    where: count(text, /\bwhere\b/gi),
    openings: count(text, /(?:^|[.!?:]\s+|- )(?:What|Whether)\b/gm),
    what: count(text, /\bwhat\b/gi),
    one: count(text, /\bones?\b/gi),
  };
}

const sum = (all: readonly Language[]): Language =>
  all.reduce(
    (total, each) => ({
      words: total.words + each.words,
      where: total.where + each.where,
      openings: total.openings + each.openings,
      what: total.what + each.what,
      one: total.one + each.one,
    }),
    NONE,
  );

/** Returns the room of a file: its folder, at most two levels deep. */
export const roomOf = (file: string): string => dirname(file).split("/").slice(0, 2).join("/");

export interface Room {
  readonly name: string;
  readonly language: Language;
  /** The file with the most faults, if any has one. */
  readonly worst?: string;
}

const faults = ({ where, openings }: Language): number => where + openings;

/** Sums the counts of files by room. */
export function roomsOf(files: ReadonlyMap<string, Language>): Room[] {
  const byRoom = Map.groupBy(files, ([file]) => roomOf(file));
  return [...byRoom].map(([name, entries]) => {
    const [worst] = entries.toSorted(([, one], [, other]) => faults(other) - faults(one));
    return {
      name,
      language: sum(entries.map(([, language]) => language)),
      ...(worst && faults(worst[1]) > 0 && { worst: worst[0] }),
    };
  });
}

/** Sums the counts of all rooms. */
export const total = (rooms: readonly Room[]): Language => sum(rooms.map(({ language }) => language));

/** Returns how often something occurs in a thousand words. */
export const perThousand = (occurrences: number, { words }: Language): number =>
  words === 0 ? 0 : (1000 * occurrences) / words;

/** Reads the comments of all TypeScript sources under a folder, by their paths from it. */
export function readLanguage(root: string): Map<string, Language> {
  const files = globSync("{src,test,scripts,bench}/**/*.ts", { cwd: root }).sort();
  return new Map(files.map((file) => [file, languageOf(readFileSync(join(root, file), "utf8"))]));
}

/** Renders the rooms as a Markdown table, per thousand words, the worst room first. */
export function table(rooms: readonly Room[]): string {
  const ordered = rooms.toSorted((one, other) => faults(other.language) - faults(one.language));
  const rows = [...ordered, { name: "all", language: total(rooms) }].map(({ name, language, ...more }) => {
    const { where, openings, what, one } = language;
    const rates = [where, openings, what, one].map((n) => perThousand(n, language).toFixed(1));
    return `| ${[name, language.words, ...rates, "worst" in more ? more.worst : ""].join(" | ")} |`;
  });
  return [
    "| room | words | where | What…, Whether… | what | one, ones | worst file |",
    "| --- | ---: | ---: | ---: | ---: | ---: | --- |",
    ...rows,
  ].join("\n");
}

if (import.meta.main) {
  const root = resolve(import.meta.dirname, "..");
  process.stdout.write(`${table(roomsOf(readLanguage(root)))}\n`);
}
