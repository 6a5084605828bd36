/** Content of an XML element: text, or elements in order. */
export type XmlContent = string | readonly (readonly [name: string, content: XmlContent])[];

/** Returns an element. The name and the attributes are ours, and the text is escaped. */
export function element(name: string, content: XmlContent, attributes = ""): string {
  const inner =
    typeof content === "string"
      ? escaped(content)
      : content.map(([child, of]) => element(child, of)).join("");
  return `<${name}${attributes}>${inner}</${name}>`;
}

const MARKUP = /[&<>"']/g;
/** Characters that no XML 1.0 document may have, escaped either (XML 1.0, Char). */
const NO_CHARACTER = /[^\t\n\r\u{20}-\u{d7ff}\u{e000}-\u{fffd}\u{10000}-\u{10ffff}]/gu;

const escaped = (text: string): string =>
  text
    .replaceAll(NO_CHARACTER, "\ufffd")
    .replaceAll(MARKUP, (character) => `&#${character.charCodeAt(0)};`)
    .replaceAll("\r", "&#13;");
