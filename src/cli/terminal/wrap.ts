/** Breaks a text into lines of at most this width: at spaces, or within a word that is longer. Cuts nothing off. */
export function wrapped(text: string, width: number): string[] {
  const lines: string[] = [];
  let rest = text;
  while (rest.length > width) {
    const space = rest.lastIndexOf(" ", width);
    const end = space > 0 ? space : width;
    lines.push(rest.slice(0, end));
    rest = rest.slice(space > 0 ? end + 1 : end);
  }
  return [...lines, rest];
}

/** Renders a text as an item of a list: its further lines begin below its first word. */
export function item(text: string, width: number, mark = "- "): string {
  const indent = " ".repeat(mark.length);
  return wrapped(text, Math.max(1, width - mark.length))
    .map((line, at) => `${at === 0 ? mark : indent}${line}\n`)
    .join("");
}
