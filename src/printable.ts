/**
 * All that a terminal or a reader takes for something else than itself: controls (C0, DEL, C1),
 * line and paragraph separators, lone surrogates, and what is not seen but changes what is:
 * bidirectional controls (UAX #9), zero-width characters, fillers and tags.
 */
const UNSAFE = /[\p{C}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}]/gu;
const UNSAFE_BUT_NEWLINE = /(?!\n)[\p{C}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}]/gu;

/** More than any message of ours has; what is longer was made to flood whoever reads. */
const MAX_LENGTH = 8_192;

/**
 * Returns `text` in one line that is safe to show: each unsafe character as \uXXXX, once per
 * UTF-16 code unit, and a \u of the text's own as \u005cu, so that the text can be told from it.
 * What is longer than `maxLength` is cut off, which is said.
 */
export function printable(text: string, maxLength = MAX_LENGTH): string {
  return cut(text, maxLength).replaceAll("\\u", "\\u005cu").replaceAll(UNSAFE, escapedUnits);
}

/** Returns as much of `text` as `maxLength` allows, and how much more there is. */
export function cut(text: string, maxLength: number): string {
  const rest = text.length - maxLength;
  return rest <= 0 ? text : `${text.slice(0, maxLength)}… (${rest} characters more)`;
}

/** The same for a message that may have several lines: they become one. */
export const oneLine = (text: string, maxLength = MAX_LENGTH): string =>
  printable(text.trim().replaceAll(/[\r\n]+/g, " "), maxLength);

/** The same for a whole output: its newlines are the printer's own, and it may be long. */
export const printableLines = (text: string): string => text.replaceAll(UNSAFE_BUT_NEWLINE, escapedUnits);

/** JSON that any program reads back as it was, and that is safe to show. */
export const printableJson = (value: unknown, indent?: number): string =>
  // Outside of its strings JSON has no such character but newlines.
  printableLines(JSON.stringify(value, undefined, indent));

function escapedUnits(character: string): string {
  return Array.from({ length: character.length }, (_, at) => {
    const unit = character.charCodeAt(at).toString(16).padStart(4, "0");
    return `\\u${unit}`;
  }).join("");
}
