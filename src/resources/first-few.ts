/** Formats "a, b and 3 more": a status has room for only so many. */
export function firstFew(texts: readonly (string | number)[], most: number): string {
  const shown = texts.slice(0, most).join(", ");
  const more = texts.length - most;
  return more > 0 ? `${shown} and ${more} more` : shown;
}
