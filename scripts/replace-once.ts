/** Replaces a piece of a text. Throws unless the piece is there once. */
export function replaceOnce(text: string, piece: string | RegExp, by: string): string {
  const found = text.split(piece).length - 1;
  if (found !== 1) throw new Error(`${piece} is there ${found} times, not once`);
  return text.replace(piece, () => by);
}
