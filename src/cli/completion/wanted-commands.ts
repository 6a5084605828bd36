/** More commands than this are offered by their names alone. */
const MOST_DESCRIBED = 4;

/**
 * Returns the commands that have to be loaded to complete a command line. A person waits with a finger on the
 * key, and loading all of them takes several times as long as the answer itself.
 */
export function wantedCommands(words: readonly string[], names: readonly string[]): ReadonlySet<string> {
  const [first = "", second, ...more] = words;
  if (second !== undefined && (first !== "help" || more.length > 0)) return new Set([first]);
  const possible = names.filter((name) => name.startsWith(second ?? first));
  return new Set(possible.length <= MOST_DESCRIBED ? possible : []);
}
