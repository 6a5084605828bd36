/**
 * Comments, and the texts and patterns that may hold something that looks like a comment. A template
 * inside a template ends the outer text and starts another: together they cover the same characters.
 */
const TOKEN = new RegExp(
  [
    /(?<comment>\/\/[^\n]*(?:\n[ \t]*\/\/[^\n]*)*|\/\*[\s\S]*?\*\/)/,
    /"(?:\\.|[^"\\\n])*"/,
    /'(?:\\.|[^'\\\n])*'/,
    /`(?:\\[\s\S]|[^`\\])*`/,
    /(?<=[(,=:[!&|?{};+>]\s*|return\s+)\/(?:\\.|\[(?:\\.|[^\]\\])*\]|[^/\\\n[])+\//,
  ]
    .map(({ source }) => source)
    .join("|"),
  "g",
);

/** Returns the prose of each comment of a TypeScript source. Consecutive `//` lines are one comment. */
export function commentsOf(source: string): string[] {
  const comments = [...source.matchAll(TOKEN)].flatMap(({ groups }) => groups?.comment ?? []);
  return comments.map(prose);
}

/** Removes the marks of a comment and joins its lines. */
const prose = (comment: string): string =>
  comment
    .replace(/^\/\*+|\*\/$/g, "")
    .replaceAll(/^[ \t]*(?:\/\/|\*)/gm, "")
    .replaceAll(/\s+/g, " ")
    .trim();
