/** A question about what was observed. `find` returns what speaks against continuing, if anything does. */
export interface NamedCheck<A extends readonly unknown[], F> {
  readonly name: string;
  readonly find: (...observed: A) => F | undefined;
}

/** Checks in the order in which they are made. */
export type Chain<A extends readonly unknown[], F> = readonly NamedCheck<A, F>[];

/** Makes a chain of functions, in the order in which they are given and by the names under which they are given. */
export const chain = <A extends readonly unknown[], F>(
  checks: Readonly<Record<string, NamedCheck<A, F>["find"]>>,
): Chain<A, F> => Object.entries(checks).map(([name, find]) => ({ name, find }));

/** Returns what the first check that objects has found: it is the one to mend. Checks after it are not made. */
export function firstFinding<A extends readonly unknown[], F>(
  checks: Chain<A, F>,
  ...observed: A
): F | undefined {
  for (const { find } of checks) {
    const found = find(...observed);
    if (found !== undefined) return found;
  }
  return undefined;
}

/** Makes every check, and returns each with what it has found. */
export const allFindings = <C extends NamedCheck<A, F>, A extends readonly unknown[], F>(
  checks: readonly (C & NamedCheck<A, F>)[],
  ...observed: A
): readonly { readonly check: C; readonly found: F | undefined }[] =>
  checks.map((check) => ({ check, found: check.find(...observed) }));
