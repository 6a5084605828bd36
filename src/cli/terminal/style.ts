/** The styles of a text on a terminal, by their SGR parameter (ECMA-48, 8.3.117). */
const STYLES = { plain: "0", bold: "1", red: "31", green: "32", yellow: "33" } as const;
export type Style = keyof typeof STYLES;

/**
 * Marks that stand for a change of style until the text is printed. They are private-use characters, which
 * `printable` escapes: no name from outside can bring any along.
 */
const MARKS: ReadonlyMap<string, Style> = new Map(
  (Object.keys(STYLES) as Style[]).map((style, at) => [String.fromCodePoint(0xe000 + at), style]),
);
const markOf = new Map([...MARKS].map(([mark, style]) => [style, mark]));
const ANY_MARK = new RegExp(`([${[...MARKS.keys()].join("")}])`);

/** Marks a text with a style. `text` must be safe to show already. */
export const styled = (text: string, style: Style): string =>
  text === "" || style === "plain" ? text : `${markOf.get(style)}${text}${markOf.get("plain")}`;

/** Renders a marked text: `safe` makes the pieces between the marks safe to show. */
export function renderStyles(text: string, colour: boolean, safe: (piece: string) => string): string {
  return text
    .split(ANY_MARK)
    .map((piece) => {
      const style = MARKS.get(piece);
      if (style === undefined) return safe(piece);
      return colour ? `\x1b[${STYLES[style]}m` : "";
    })
    .join("");
}
