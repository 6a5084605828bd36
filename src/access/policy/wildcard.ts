/**
 * Returns true if a text matches a pattern, in which an asterisk is any number of characters and a question mark is one.
 * It goes back to the last asterisk only, so the time is at most the product of both lengths: a policy cannot make a
 * decision hang, as it could through a regular expression.
 */
export function matchesWildcard(pattern: string, text: string): boolean {
  let [at, read] = [0, 0];
  /** The places after the last `*`, and of the text that this `*` has taken so far. */
  let star: { readonly pattern: number; text: number } | undefined;
  while (read < text.length) {
    const wanted = pattern[at];
    if (wanted === "*") {
      star = { pattern: ++at, text: read };
    } else if (wanted === "?" || wanted === text[read]) {
      at += 1;
      read += 1;
    } else if (star !== undefined) {
      star.text += 1;
      [at, read] = [star.pattern, star.text];
    } else {
      return false;
    }
  }
  while (pattern[at] === "*") at += 1;
  return at === pattern.length;
}
