/**
 * All characters that a terminal or a reader does not show as themselves: controls (C0, DEL, C1), line and
 * paragraph separators, lone surrogates, and invisible characters that change the visible ones: bidirectional
 * controls (UAX #9), zero-width characters, fillers and tags.
 */
const UNSAFE = /[\p{C}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}]/gu;
const UNSAFE_BUT_NEWLINE = /(?!\n)[\p{C}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}]/gu;

/** Longer than any message of ours. A longer message was made to flood its reader. */
const MAX_LENGTH = 8_192;

/**
 * Returns `text` in one line that is safe to show: each unsafe character as \uXXXX, once per UTF-16 code
 * unit, and a \u in the text itself as \u005cu, so that the original can be restored. Text beyond `maxLength`
 * is cut off, and the result says so.
 */
export function printable(text: string, maxLength = MAX_LENGTH): string {
  return cut(text, maxLength).replaceAll("\\u", "\\u005cu").replaceAll(UNSAFE, escapedUnits);
}

/** Returns as much of `text` as `maxLength` allows, and how much more there is. */
export function cut(text: string, maxLength: number): string {
  const rest = text.length - maxLength;
  return rest <= 0 ? text : `${text.slice(0, maxLength)}… (${rest} characters more)`;
}

/** Joins the lines of a message with spaces, and makes the result safe to show, as `printable` does. */
export const oneLine = (text: string, maxLength = MAX_LENGTH): string =>
  printable(text.trim().replaceAll(/[\r\n]+/g, " "), maxLength);

/**
 * Escapes the unsafe characters of a whole output, which may be long. Keeps its newlines and `\u` sequences,
 * and cuts nothing off.
 */
export const printableLines = (text: string): string => text.replaceAll(UNSAFE_BUT_NEWLINE, escapedUnits);

/** Returns JSON that any program parses to the same value, and that is safe to show. */
export const printableJson = (value: unknown, indent?: number): string =>
  // Outside of its strings JSON has no such character except newlines.
  printableLines(JSON.stringify(value, undefined, indent));

function escapedUnits(character: string): string {
  return Array.from({ length: character.length }, (_, at) => {
    const unit = character.charCodeAt(at).toString(16).padStart(4, "0");
    return `\\u${unit}`;
  }).join("");
}
